"""JobRepository: the rows of `cron_jobs`, within the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, bindparam, delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.rows import columns_of, encode, rows
from app.db.tables import cron_jobs
from app.db.types import AnyRow
from app.domain.errors import NameTaken
from app.domain.job import DayRule, JobDefinition, PersistedJob

_FIELDS = [each.name for each in fields(PersistedJob)]
_DEFINED = [each.name for each in fields(JobDefinition)]
_COLUMNS = [cron_jobs.c[name] for name in _FIELDS]
_WRITTEN = [*_DEFINED, "version", "anchor", "next_run", "problem", "updated_at"]
_WRITE = (
    update(cron_jobs)
    .where(cron_jobs.c.id == bindparam("written"))
    .values({name: bindparam(name) for name in (*_WRITTEN, "host", "computed_under")})
)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFilter:
    """`labels` must all match; `text` is looked for in the name."""

    enabled: bool | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    text: str | None = None


class JobRepository:
    """Names are unique; a row that is locked stays as it is read until the transaction ends."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def get(self, name: str) -> PersistedJob | None:
        return await self._one(select(*_COLUMNS).where(cron_jobs.c.name == name))

    async def lock(self, name: str) -> PersistedJob | None:
        return await self._one(select(*_COLUMNS).where(cron_jobs.c.name == name).with_for_update())

    async def lock_scheduled(self, limit: int) -> list[PersistedJob]:
        """Jobs that wait for an occurrence, by id."""
        waiting = cron_jobs.c.enabled & cron_jobs.c.next_run.is_not(None)
        return await self._locked(select(*_COLUMNS).where(waiting).limit(limit))

    async def lock_among(self, uids: Sequence[UUID]) -> list[PersistedJob]:
        return await self._locked(select(*_COLUMNS).where(cron_jobs.c.uid.in_(uids)))

    async def lock_computed_before(self, rules: str, limit: int) -> list[PersistedJob]:
        """Jobs whose next time was computed under earlier rules; those that another replica is busy with left out."""
        query = select(*_COLUMNS).where(cron_jobs.c.computed_under < rules).order_by(cron_jobs.c.id).limit(limit)
        return [_job(row) for row in await self._connection.execute(query.with_for_update(skip_locked=True))]

    async def page(self, filters: JobFilter, after: str | None, limit: int) -> list[PersistedJob]:
        """By name; `after` is the last name of the page before."""
        query = select(*_COLUMNS).order_by(cron_jobs.c.name).limit(limit)
        if after is not None:
            query = query.where(cron_jobs.c.name > after)
        return [_job(row) for row in await self._connection.execute(_filtered(query, filters))]

    async def add(self, definition: JobDefinition, **columns: Any) -> PersistedJob:
        """Raises NameTaken."""
        values = {name: getattr(definition, name) for name in _DEFINED} | columns
        try:
            found = await self._connection.execute(insert(cron_jobs).values(values).returning(*_COLUMNS))
        except IntegrityError as error:
            raise NameTaken(
                f"A job named {definition.name} exists already.",
                field="name",
                remedy="Use another name, or PUT to replace it.",
            ) from error
        return _job(found.one())

    async def write(self, jobs: Iterable[tuple[PersistedJob, str]], computed_under: str) -> None:
        """Write jobs as they are given, each with the host that it calls, but for the facts that recording writes."""
        values = [
            {name: getattr(job, name) for name in _WRITTEN}
            | {"written": job.id, "host": host, "computed_under": computed_under}
            for job, host in jobs
        ]
        if values:
            await self._connection.execute(_WRITE, values)

    async def reschedule(self, times: Mapping[int, datetime | None]) -> None:
        """Set `next_run` alone, by the jobs' integer ids."""
        dialect = self._connection.dialect.name
        sent = rows(dialect, columns_of(cron_jobs.c.id, cron_jobs.c.next_run))
        moved = update(cron_jobs).where(cron_jobs.c.id == sent.c.id).values(next_run=sent.c.next_run)
        values = ({"id": job_id, "next_run": at} for job_id, at in times.items())
        await self._connection.execute(moved, {"rows": encode(dialect, values)})

    async def remove(self, job_id: int) -> None:
        await self._connection.execute(delete(cron_jobs).where(cron_jobs.c.id == job_id))

    async def _one(self, query: Select[*tuple[Any, ...]]) -> PersistedJob | None:
        row = (await self._connection.execute(query)).first()
        return None if row is None else _job(row)

    async def _locked(self, query: Select[*tuple[Any, ...]]) -> list[PersistedJob]:
        found = await self._connection.execute(query.order_by(cron_jobs.c.id).with_for_update())
        return [_job(row) for row in found]


def _filtered(query: Select[*tuple[Any, ...]], filters: JobFilter) -> Select[*tuple[Any, ...]]:
    if filters.enabled is not None:
        query = query.where(cron_jobs.c.enabled == filters.enabled)
    for key, value in filters.labels.items():
        query = query.where(cron_jobs.c.labels[key].as_string() == value)
    if filters.text:
        query = query.where(cron_jobs.c.name.icontains(filters.text, autoescape=True))
    return query


def _job(row: AnyRow) -> PersistedJob:
    values = dict(row._mapping)
    return PersistedJob(**values | {"day_rule": DayRule(values["day_rule"])})
