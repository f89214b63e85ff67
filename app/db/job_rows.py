"""The rows that the entry map is a cache of."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import ColumnElement, Integer, Select, select, update

from app.db.calendars import SharedCalendars
from app.db.engine import Database
from app.db.readable import readable
from app.db.rows import encode, rows
from app.db.spans import SpanRepository
from app.db.tables import cron_jobs
from app.domain.entries import JobRow
from app.domain.errors import StoreUnavailable
from app.domain.exclude import calendar_names
from app.domain.exclusion import Listed, resolve
from app.domain.job import JobDefinition
from app.domain.namespace import qualified
from app.domain.recurrence import RESOLUTION, Recurrence
from app.domain.span import UNSCHEDULABLE

_WAITING = cron_jobs.c.enabled & cron_jobs.c.next_run.is_not(None)
_DEFINED = ("name", "schedule", "timezone", "day_rule", "starts_at", "ends_at", "dst_gap", "dst_overlap", "policies")
_COLUMNS = [cron_jobs.c[name] for name in ("id", "uid", "version", "next_run", "anchor", "namespace", *_DEFINED)]

_log = structlog.get_logger()


class JobRowSource:
    """See `scheduler.ports.JobSource`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._calendars = SharedCalendars()

    async def time(self) -> datetime:
        async with self._database.read() as connection:
            now: datetime = (await connection.execute(select(self._database.now))).scalar_one()
        return now

    async def enabled_page(self, after_id: int, limit: int) -> list[JobRow]:
        return await self._rows(cron_jobs.c.id > after_id, limit)

    async def enabled_among(self, ids: Collection[int]) -> list[JobRow]:
        return await self._rows(cron_jobs.c.id.in_(ids))

    async def changed_since(self, since: datetime) -> list[int]:
        query = select(cron_jobs.c.id).where(cron_jobs.c.updated_at >= since)
        async with self._database.read() as connection:
            return list(await connection.scalars(query))

    async def versions_page(self, after_id: int, limit: int) -> list[tuple[int, int]]:
        query = select(cron_jobs.c.id, cron_jobs.c.version).where(_WAITING, cron_jobs.c.id > after_id)
        async with self._database.read() as connection:
            found = await connection.execute(query.order_by(cron_jobs.c.id).limit(limit))
            return [(row.id, row.version) for row in found]

    async def waiting(self, ids: Iterable[int]) -> dict[int, tuple[int, datetime]]:
        asked = rows(self._database.dialect, {"id": Integer()})
        query = select(cron_jobs.c.id, cron_jobs.c.version, cron_jobs.c.next_run).where(_WAITING)
        query = query.join(asked, asked.c.id == cron_jobs.c.id)
        sent = encode(self._database.dialect, ({"id": each} for each in ids))
        async with self._database.read() as connection:
            return {row.id: (row.version, row.next_run) for row in await connection.execute(query, {"rows": sent})}

    async def set_aside(self, job_id: int, version: int, problem: str) -> bool:
        """What would have been due from then on is an open span. The next start, of whichever program, tries again."""
        job = cron_jobs.c
        async with self._database.begin() as connection:
            query = select(job.uid, job.next_run).where(_WAITING, job.id == job_id, job.version == version)
            row = (await connection.execute(query.with_for_update(skip_locked=True))).first()
            if row is None:
                return (await connection.execute(query)).first() is None
            stop = update(cron_jobs).where(job.id == job_id).values(next_run=None, problem=problem, computed_under="")
            await connection.execute(stop)
            spans = SpanRepository(connection)
            await spans.open_unread(row.uid, version, row.next_run - RESOLUTION, UNSCHEDULABLE)
        return True

    async def _rows(self, which: ColumnElement[bool], limit: int | None = None) -> list[JobRow]:
        """A row that this program can't read is set aside, lest it stop those beside it."""
        query: Select[Any] = select(*_COLUMNS).where(_WAITING, which).order_by(cron_jobs.c.id).limit(limit)
        async with self._database.read() as connection:
            found = [readable(row._asdict()) for row in await connection.execute(query)]
            # Read after the rows: a job may come with a later calendar than its version knew, and then loses the claim.
            calendars = await self._calendars.read(connection, _named(values for values, _ in found))
        unreadable = [(values, problem) for values, problem in found if problem]
        for values, problem in unreadable:
            if not await self.set_aside(values["id"], values["version"], problem):
                raise StoreUnavailable(remedy=f"The job {values['name']} can't be read, and somebody has locked it.")
            _log.error("job set aside", job=values["name"], problem=problem)
        return await self._rows(which, limit) if unreadable else [_job_row(values, calendars) for values, _ in found]


def _named(found: Iterable[dict[str, Any]]) -> set[str]:
    return {
        qualified(values["namespace"], name) for values in found for name in calendar_names(values["policies"].exclude)
    }


def _job_row(values: dict[str, Any], calendars: Mapping[str, Listed]) -> JobRow:
    defined = {name: values[name] for name in _DEFINED}
    recurrence = Recurrence.of(JobDefinition(**defined, endpoint=None), values["anchor"])
    facts = {name: values[name] for name in ("id", "uid", "name", "version", "next_run", "policies", "namespace")}
    exclusions = resolve(values["policies"].exclude, values["timezone"], calendars, values["namespace"])
    return JobRow(**facts, recurrence=recurrence, exclusions=exclusions)
