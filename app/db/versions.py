"""What a job was, and from when to when: (effective_from, effective_until]."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.calendars import CalendarRepository
from app.db.policies import dump_policies
from app.db.tables import job_versions
from app.db.tenancy import EVERYWHERE, Tenancy
from app.domain.exclude import calendar_names
from app.domain.history import StoredVersion
from app.domain.job import PersistedJob
from app.domain.namespace import qualified

_PLAIN = (
    *("name", "schedule", "timezone", "day_rule", "dst_gap", "dst_overlap"),
    *("enabled", "endpoint", "method", "description", "timeout_seconds"),
)
_TIMES = ("anchor", "starts_at", "ends_at")
_COLUMNS = [job_versions.c[each.name] for each in fields(StoredVersion)]


class VersionRepository:
    """Within the caller's transaction. Headers and body stay out: they may hold credentials, and decide nothing."""

    def __init__(self, connection: AsyncConnection, tenancy: Tenancy = EVERYWHERE) -> None:
        self._connection = connection
        self._tenancy = tenancy

    async def begin(self, jobs: Sequence[PersistedJob], at: datetime) -> None:
        """With the version of each calendar that a job names: who changes it begins new ones."""
        calendars = await self._calendars({key for job in jobs for key in _calendar_keys(job).values()})
        values = [
            {"job_id": job.uid, "version": job.version, "effective_from": at, "definition": _definition(job, calendars)}
            for job in jobs
        ]
        if values:
            await self._connection.execute(insert(job_versions), values)

    async def began(self, job_ids: Sequence[UUID]) -> datetime | None:
        """When the last of these jobs came to be what it is."""
        version = job_versions.c
        query = select(func.max(version.effective_from))
        query = query.where(version.job_id.in_(job_ids), version.effective_until.is_(None))
        latest: datetime | None = (await self._connection.execute(query)).scalar_one()
        return latest

    async def end(self, job_ids: Sequence[UUID], at: datetime) -> None:
        await self._connection.execute(
            update(job_versions)
            .where(job_versions.c.job_id.in_(job_ids), job_versions.c.effective_until.is_(None))
            .values(effective_until=at)
        )

    async def page(self, job_id: UUID, before: int | None, limit: int) -> list[StoredVersion]:
        """Newest first; `before` is the last version of the page before."""
        query = select(*_COLUMNS).where(job_versions.c.job_id == job_id, self._tenancy.holds_job(job_versions.c.job_id))
        query = query.order_by(job_versions.c.version.desc())
        if before is not None:
            query = query.where(job_versions.c.version < before)
        return [StoredVersion(**row._mapping) for row in await self._connection.execute(query.limit(limit))]

    async def around(self, job_id: UUID, start: datetime, end: datetime, beside: int) -> list[StoredVersion]:
        """Those in force from `start` to `end`, with the last ones before and the first ones after, oldest first."""
        version = job_versions.c
        of_job = select(*_COLUMNS).where(version.job_id == job_id)
        before = of_job.where(version.effective_until < start).order_by(version.version.desc()).limit(beside)
        ended_later = version.effective_until.is_(None) | (version.effective_until >= start)
        within = of_job.where(version.effective_from < end, ended_later).order_by(version.version)
        after = of_job.where(version.effective_from >= end, ended_later).order_by(version.version).limit(beside)
        found = {
            row.version: StoredVersion(**row._mapping)
            for query in (before, within, after)
            for row in await self._connection.execute(query)
        }
        return [found[number] for number in sorted(found)]

    async def _calendars(self, keys: Collection[str]) -> dict[str, int]:
        if not keys:
            return {}
        versions = await CalendarRepository(self._connection).versions(keys)
        return {key: version for key, (_, version) in versions.items()}


def _calendar_keys(job: PersistedJob) -> dict[str, str]:
    """By name."""
    return {name: qualified(job.namespace, name) for name in calendar_names(job.policies.exclude)}


def _definition(job: PersistedJob, calendars: Mapping[str, int]) -> dict[str, Any]:
    plain = {name: getattr(job, name) for name in _PLAIN}
    times = {name: getattr(job, name) for name in _TIMES}
    notify = tuple(replace(rule, headers={}) for rule in job.policies.notify)
    plain |= {"policies": dump_policies(replace(job.policies, notify=notify))}
    if named := _calendar_keys(job):
        plain |= {"calendars": {name: calendars.get(key) for name, key in named.items()}}
    return plain | {name: None if at is None else at.isoformat() for name, at in times.items()}
