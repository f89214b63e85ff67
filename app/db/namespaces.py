"""NamespaceRepository: the rows of `namespaces`, within the caller's transaction."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, fields
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.access_tables import api_keys
from app.db.namespace_tables import namespaces
from app.db.schema_level import LEVEL, cronledger_schema
from app.db.secret_tables import secrets
from app.db.tables import calendars, cron_jobs, limits
from app.db.tenancy import Tenancy
from app.db.types import AnyRow
from app.db.upserts import insert_unless_there
from app.domain.namespace import DEFAULT, Allowance, Namespace, Quotas

_space = namespaces.c
_QUOTAS = [each.name for each in fields(Quotas)]


class NamespaceRepository:
    """Locks come after all others: whoever counts against a quota has locked the jobs before.

    Who counts, and who makes something, don't wait for each other; who deletes the namespace waits for both.
    """

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def quotas(self, name: str) -> Quotas | None:
        """None where there is no such namespace, or no more."""
        return await self._quotas(name, _there(name))

    async def hold(self, name: str) -> Quotas | None:
        """The same, as it stays until the transaction ends."""
        return await self._quotas(name, _there(name).with_for_update(read=True, key_share=True))

    async def count_in(self, name: str) -> Quotas | None:
        """The same, for one after the other of those who count."""
        return await self._quotas(name, _there(name).with_for_update(key_share=True))

    async def lock(self, name: str) -> Quotas | None:
        return await self._quotas(name, _there(name).with_for_update())

    async def get(self, name: str, today: date) -> Namespace | None:
        found = await self._told(_there(name), today)
        return found[0] if found else None

    async def page(self, after: str | None, limit: int, today: date) -> list[Namespace]:
        """By name; `after` is the last name of the page before."""
        query = select(namespaces).where(_space.deleted_at.is_(None)).order_by(_space.name).limit(limit)
        return await self._told(query if after is None else query.where(_space.name > after), today)

    async def add(self, name: str, quotas: Quotas, at: datetime) -> bool:
        """Say whether it is new; one that was deleted is not, either."""
        values = asdict(quotas) | {"name": name, "created_at": at, "updated_at": at}
        if not await insert_unless_there(self._connection, namespaces, "name", values):
            return False
        needs = cronledger_schema.c.needs
        await self._connection.execute(update(cronledger_schema).where(needs < LEVEL).values(needs=LEVEL))
        return True

    async def write(self, name: str, quotas: Quotas, at: datetime) -> None:
        await self._connection.execute(
            update(namespaces).where(_space.name == name).values(asdict(quotas) | {"updated_at": at})
        )

    async def end(self, name: str, at: datetime) -> None:
        """Its name is not given to another."""
        await self._connection.execute(update(namespaces).where(_space.name == name).values(deleted_at=at))

    async def jobs(self, name: str) -> int:
        query = select(func.count()).where(cron_jobs.c.namespace == name)
        return int((await self._connection.execute(query)).scalar_one())

    async def contents(self, name: str, now: datetime) -> list[str]:
        """What is in it, in words. It must be locked, so that nothing comes to it."""
        key, mine = api_keys.c, Tenancy(name)
        holds = key.revoked_at.is_(None) & (key.expires_at.is_(None) | (key.expires_at > now))
        kinds: dict[str, ColumnElement[bool]] = {
            "jobs": cron_jobs.c.namespace == name,
            "calendars": mine.holds_key(calendars.c.name),
            "limits": mine.holds_key(limits.c.key),
            "secrets": mine.holds_key(secrets.c.name),
            "API keys that hold": (key.namespace == name) & holds,
        }
        counts = {kind: await self._connection.scalar(select(func.count()).where(it)) for kind, it in kinds.items()}
        return [f"{kind} {count}" for kind, count in counts.items() if count]

    async def allowances(self, names: Iterable[str], today: date, *, wait: bool = True) -> dict[str, Allowance]:
        """Of those that have a quota of runs; they stay locked until the transaction ends.

        Without `wait`, those that somebody else has locked are left out.
        """
        query = select(_space.name, _space.runs_per_day, _space.counted_day, _space.runs_made)
        query = query.where(_space.name.in_(sorted(names)), _space.runs_per_day.is_not(None)).order_by(_space.name)
        found = await self._connection.execute(query.with_for_update(key_share=True, skip_locked=not wait))
        return {row.name: Allowance(row.runs_per_day, _made(row, today), _day(row, today)) for row in found}

    async def spend(self, allowances: Mapping[str, Allowance]) -> None:
        for name, each in allowances.items():
            if each.taken:
                values = {"counted_day": each.day, "runs_made": each.made + each.taken}
                await self._connection.execute(update(namespaces).where(_space.name == name).values(values))

    async def _quotas(self, name: str, query: Select[*tuple[Any, ...]]) -> Quotas | None:
        """`default` is there in any case."""
        row = (await self._connection.execute(query)).first()
        if row is None:
            return Quotas() if name == DEFAULT else None
        return _read(row)

    async def _told(self, query: Select[*tuple[Any, ...]], today: date) -> list[Namespace]:
        found = list(await self._connection.execute(query))
        jobs = await self._count_jobs([row.name for row in found])
        return [_namespace(row, jobs.get(row.name, 0), today) for row in found]

    async def _count_jobs(self, names: Collection[str]) -> dict[str, int]:
        job = cron_jobs.c
        query = select(job.namespace, func.count()).where(job.namespace.in_(names)).group_by(job.namespace)
        return {row[0]: row[1] for row in await self._connection.execute(query)}


def day_of(at: datetime) -> date:
    """In UTC."""
    return at.astimezone(UTC).date()


def _there(name: str) -> Select[*tuple[Any, ...]]:
    return select(namespaces).where(_space.name == name, _space.deleted_at.is_(None))


def _read(row: AnyRow) -> Quotas:
    return Quotas(**{name: getattr(row, name) for name in _QUOTAS})


def _day(row: AnyRow, today: date) -> date:
    """That of which the count is: a clock that was set back over midnight gives no day anew."""
    tomorrow: date = today + timedelta(days=1)
    return tomorrow if row.counted_day == tomorrow else today


def _made(row: AnyRow, today: date) -> int:
    made: int = row.runs_made if row.counted_day == _day(row, today) else 0
    return made


def _namespace(row: AnyRow, jobs: int, today: date) -> Namespace:
    return Namespace(
        name=row.name,
        quotas=_read(row),
        created_at=row.created_at,
        updated_at=row.updated_at,
        jobs=jobs,
        runs_today=None if row.runs_per_day is None else _made(row, today),
    )
