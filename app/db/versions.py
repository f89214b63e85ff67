"""What a job was, and from when to when: (effective_from, effective_until]."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import insert, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.tables import job_versions
from app.domain.job import PersistedJob

_PLAIN = ("schedule", "timezone", "day_rule", "enabled", "endpoint", "method", "description", "timeout_seconds")
_TIMES = ("anchor", "starts_at", "ends_at")


class VersionRepository:
    """Within the caller's transaction. Headers and body stay out: they may hold credentials, and decide nothing."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def begin(self, jobs: Sequence[PersistedJob], at: datetime) -> None:
        values = [
            {"job_id": job.uid, "version": job.version, "effective_from": at, "definition": _definition(job)}
            for job in jobs
        ]
        if values:
            await self._connection.execute(insert(job_versions), values)

    async def end(self, job_ids: Sequence[UUID], at: datetime) -> None:
        await self._connection.execute(
            update(job_versions)
            .where(job_versions.c.job_id.in_(job_ids), job_versions.c.effective_until.is_(None))
            .values(effective_until=at)
        )


def _definition(job: PersistedJob) -> dict[str, Any]:
    plain = {name: getattr(job, name) for name in _PLAIN}
    times = {name: getattr(job, name) for name in _TIMES}
    return plain | {name: None if at is None else at.isoformat() for name, at in times.items()}
