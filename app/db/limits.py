"""LimitRepository: how many runs of a key may be under way, and how many may start in a second."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Float, Select, String, case, delete, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.rows import columns_of, encode, rows
from app.db.tables import HELD_UP, LIMITED, job_runs, limits
from app.db.tenancy import EVERYWHERE, Tenancy
from app.db.types import AnyRow
from app.db.upserts import insert_unless_there
from app.domain.gates import CATCH_UP_KEY, Limit, limit_gate
from app.domain.limit import KeyLimit

_SECOND = timedelta(seconds=1)


class LimitRepository:
    """Within the caller's transaction. Keys are those of the namespace, but where whoever starts runs reads them."""

    def __init__(self, connection: AsyncConnection, tenancy: Tenancy = EVERYWHERE) -> None:
        self._connection = connection
        self._tenancy = tenancy
        self._dialect = connection.dialect.name

    async def put(self, key: str, max_concurrency: int | None, rate_per_second: float | None, at: datetime) -> bool:
        """Say whether it is new. A bucket that is new, or has had no rate, is full."""
        return await self._put(self._tenancy.key(key), max_concurrency, rate_per_second, at)

    async def _put(self, key: str, max_concurrency: int | None, rate_per_second: float | None, at: datetime) -> bool:
        values = {"max_concurrency": max_concurrency, "rate_per_second": rate_per_second, "updated_at": at}
        made = values | {"key": key, "tokens": burst(rate_per_second), "refilled_at": at, "created_at": at}
        if await insert_unless_there(self._connection, limits, "key", made):
            return True
        found = await self._rows(select(limits).where(limits.c.key == key).with_for_update(key_share=True))
        if not found:  # somebody deleted it between our insert and our look
            return await self._put(key, max_concurrency, rate_per_second, at)
        [row] = found
        left = burst(rate_per_second) if row.rate_per_second is None else tokens(row, at)
        kept = values | {"tokens": min(left, burst(rate_per_second)), "refilled_at": at}
        await self._connection.execute(update(limits).where(limits.c.key == key).values(kept))
        return False

    async def remove(self, key: str) -> bool:
        """Say whether it was there."""
        found = await self._connection.execute(delete(limits).where(limits.c.key == self._tenancy.key(key)))
        return found.rowcount > 0

    async def get(self, key: str) -> KeyLimit | None:
        found = await self._told(select(limits).where(limits.c.key == self._tenancy.key(key)))
        return found[0] if found else None

    async def page(self, after: str | None, limit: int) -> list[KeyLimit]:
        """By key."""
        query = select(limits).where(limits.c.key != CATCH_UP_KEY, self._tenancy.holds_key(limits.c.key))
        query = query.order_by(limits.c.key).limit(limit)
        return await self._told(query if after is None else query.where(limits.c.key > self._tenancy.key(after)))

    async def lock(self, keys: Collection[str], now: datetime) -> dict[str, Limit]:
        """What the keys allow, as it stays until the transaction ends; a key without a row has no limit."""
        query = select(limits).where(limits.c.key.in_(keys)).order_by(limits.c.key).with_for_update(key_share=True)
        return await self._limits(query, now)

    async def read(self, keys: Collection[str], now: datetime) -> dict[str, Limit]:
        """What they allow just now."""
        return await self._limits(select(limits).where(limits.c.key.in_(keys)), now)

    async def spend(self, left: Mapping[str, Limit], now: datetime) -> None:
        """Write what is left of the tokens. A `now` from before another's spending must not let them come twice."""
        kept = [{"key": key, "tokens": each.tokens} for key, each in left.items() if each.tokens is not None]
        if kept:
            sent = rows(self._dialect, {"key": String(), "tokens": Float()})
            refilled_at = case((limits.c.refilled_at > now, limits.c.refilled_at), else_=now)
            spent = update(limits).where(limits.c.key == sent.c.key)
            spent = spent.values(tokens=sent.c.tokens, refilled_at=refilled_at)
            await self._connection.execute(spent, {"rows": encode(self._dialect, kept)})

    async def _limits(self, query: Select[*tuple[Any, ...]], now: datetime) -> dict[str, Limit]:
        """Counted in statements of their own, after the one that may lock."""
        found = {row.key: row for row in await self._rows(query)}
        in_use, waiting = await self._in_use(found), await self._waiting(found)
        return {
            key: Limit(
                row.max_concurrency,
                None if row.rate_per_second is None else tokens(row, now),
                in_use.get(key, 0),
                waiting.get(key, 0) > 0,
            )
            for key, row in found.items()
        }

    async def _told(self, query: Select[*tuple[Any, ...]]) -> list[KeyLimit]:
        found = await self._rows(query)
        keys = [row.key for row in found]
        in_use, waiting = await self._in_use(keys), await self._waiting(keys)
        return [
            KeyLimit(
                key=self._tenancy.name(row.key),
                max_concurrency=row.max_concurrency,
                rate_per_second=row.rate_per_second,
                in_use=in_use.get(row.key, 0),
                waiting=waiting.get(row.key, 0),
                created_at=row.created_at,
                updated_at=row.updated_at,
            )
            for row in found
        ]

    async def _in_use(self, keys: Collection[str]) -> dict[str, int]:
        run, asked = job_runs.c, rows(self._dialect, columns_of(limits.c.key))
        query = select(run.limit_key, func.count()).join(asked, asked.c.key == run.limit_key)
        return await self._counted(query.where(text(f"({LIMITED})")).group_by(run.limit_key), keys)

    async def _waiting(self, keys: Collection[str]) -> dict[str, int]:
        run, asked = job_runs.c, rows(self._dialect, {"key": String(), "gate": String()})
        query = select(asked.c.key, func.count()).select_from(job_runs).join(asked, asked.c.gate == run.waiting_for)
        return await self._counted(query.where(text(HELD_UP)).group_by(asked.c.key), keys)

    async def _counted(self, query: Select[*tuple[Any, ...]], keys: Collection[str]) -> dict[str, int]:
        if not keys:
            return {}
        sent = encode(self._dialect, ({"key": key, "gate": limit_gate(key)} for key in keys))
        return {row[0]: row[1] for row in await self._connection.execute(query, {"rows": sent})}

    async def _rows(self, query: Select[*tuple[Any, ...]]) -> Sequence[AnyRow]:
        return list(await self._connection.execute(query))


def burst(rate: float | None) -> float:
    """How many may start at once after a while in which none did."""
    return 0.0 if rate is None else max(1.0, rate)


def tokens(row: AnyRow, now: datetime) -> float:
    """Those left at the row's `refilled_at`, and those that have come since."""
    passed = max((now - row.refilled_at) / _SECOND, 0.0)
    kept: float = min(row.tokens + passed * row.rate_per_second, burst(row.rate_per_second))
    return kept
