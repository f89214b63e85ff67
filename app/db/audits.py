"""How often jobs were due in each hour, and up to when that has been counted."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from uuid import UUID

from sqlalchemy import Executable, delete, func, literal, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.audit_tables import audits, due_counts
from app.db.rows import encode
from app.db.tables import cron_jobs, job_versions
from app.db.types import UtcDateTime
from app.db.upserts import insert_unless_there, or_update, sent_into
from app.domain.audit import hour_of
from app.domain.history import StoredVersion
from app.domain.recurrence import RESOLUTION
from app.domain.stats import Counted

_ONLY = 1
"""The id of the one row of `audits`."""

_COLUMNS = (due_counts.c.hour, due_counts.c.job_id, due_counts.c.due)

VersionKey = tuple[UUID, int]


@dataclass(frozen=True, slots=True)
class InForce:
    """A version of a job, without its definition."""

    job_id: UUID
    version: int
    since: datetime
    until: datetime | None

    @property
    def key(self) -> VersionKey:
        return self.job_id, self.version


@lru_cache
def _adding(dialect: str) -> Executable:
    into = sent_into(dialect, _COLUMNS, "job_id")
    return or_update(into, ("hour", "job_id"), lambda told: {"due": due_counts.c.due + told["due"]})


class AuditRepository:
    """Within the caller's transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def counted(self) -> Counted | None:
        """None before the first count."""
        row = (await self._connection.execute(select(audits.c.counted_from, audits.c.counted_until))).first()
        return None if row is None else Counted(row.counted_from, row.counted_until)

    async def begin(self, at: datetime) -> None:
        """Count from here on, unless somebody has begun."""
        first = {"id": _ONLY, "counted_from": at, "counted_until": at}
        await insert_unless_there(self._connection, audits, "id", first)

    async def advance(self, start: datetime, end: datetime) -> bool:
        """Whether what begins at `start` is still to be counted; nobody else counts it until the transaction ends."""
        moved = update(audits).where(audits.c.counted_until == start).values(counted_until=end)
        return (await self._connection.execute(moved)).rowcount > 0

    async def go_back(self, now: datetime) -> None:
        """Where more has been counted than is over, forget what was from this hour on."""
        hour = literal(hour_of(now), UtcDateTime())
        earlier = func.min if self._connection.dialect.name == "sqlite" else func.least
        back = update(audits).where(audits.c.counted_until > now)
        back = back.values(counted_until=hour, counted_from=earlier(audits.c.counted_from, hour))
        if (await self._connection.execute(back)).rowcount:
            await self._connection.execute(delete(due_counts).where(due_counts.c.hour >= hour))

    async def add(self, hour: datetime, counts: Mapping[UUID, int]) -> None:
        dialect = self._connection.dialect.name
        values = [{"hour": hour, "job_id": job_id, "due": due} for job_id, due in counts.items()]
        if values:
            await self._connection.execute(_adding(dialect), {"rows": encode(dialect, values)})

    async def forget(self, before: datetime) -> None:
        """The counts of hours that began before."""
        await self._connection.execute(delete(due_counts).where(due_counts.c.hour < before))

    async def in_force(self, start: datetime, end: datetime, after: VersionKey | None, limit: int) -> list[InForce]:
        """A page of the versions, by their keys, that were in force at some time of [start, end)."""
        version = job_versions.c
        query = select(version.job_id, version.version, version.effective_from, version.effective_until)
        query = query.where(version.effective_from < end)
        query = query.where(version.effective_until.is_(None) | (version.effective_until >= start))
        if after is not None:
            query = query.where(tuple_(version.job_id, version.version) > tuple_(*after))
        query = query.order_by(version.job_id, version.version).limit(limit)
        return [InForce(*row) for row in await self._connection.execute(query)]

    async def definitions(self, keys: Collection[VersionKey]) -> dict[VersionKey, StoredVersion]:
        version, found = job_versions.c, dict[VersionKey, StoredVersion]()
        query = select(
            version.job_id, version.version, version.effective_from, version.effective_until, version.definition
        ).where(version.job_id.in_({job_id for job_id, _ in keys}))
        for job_id, number, since, until, definition in await self._connection.execute(query):
            if (job_id, number) in keys:
                found[job_id, number] = StoredVersion(
                    version=number, effective_from=since, effective_until=until, definition=definition
                )
        return found

    async def undecided_from(self, before: datetime) -> datetime | None:
        """The first instant before then that a job with `max_runs` waits for, or at which its pause is over.

        Whether such a job is due afterwards, nobody can say until that instant is claimed.
        """
        job = cron_jobs.c
        limited = job.policies["max_runs"].as_integer().is_not(None)
        waiting = select(func.min(job.next_run)).where(limited, job.next_run < before)
        paused = select(func.min(job.paused_until)).where(limited, job.paused_until < before)
        first: datetime | None = await self._connection.scalar(waiting)
        resumed: datetime | None = await self._connection.scalar(paused)
        return min((at for at in (first, resumed and resumed + RESOLUTION) if at is not None), default=None)
