"""Rows in which values stand encrypted: jobs, and notices that are still to be sent."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import String, cast, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.locking import locking
from app.db.tables import FREE, RUNNING, cron_jobs, job_runs
from app.db.types import AnyRow
from app.domain.run import Trigger

_job, _run = cron_jobs.c, job_runs.c
_FIELDS = (_job.headers, _job.policies)


class SealedRepository:
    """Within the caller's transaction. What is locked is written without a new version: nothing of it is new."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def lock_jobs(self, after: int, limit: int) -> list[AnyRow]:
        """A page by id of the jobs that have some, with `id`, `name`, `headers` and `policies`."""
        sealed = [cast(column, String).contains("sealed") for column in _FIELDS]
        query = select(_job.id, _job.name, *_FIELDS).where(_job.id > after, sealed[0] | sealed[1])
        return list(await self._connection.execute(locking(self._connection.dialect.name, query, limit)))

    async def write_job(self, job_id: int, values: Mapping[str, Any]) -> None:
        """`values` of `headers` and `policies`."""
        await self._connection.execute(update(cron_jobs).where(_job.id == job_id).values(values))

    async def notices(self) -> list[tuple[UUID, datetime]]:
        """Of all that are to be sent, id and place in the ledger. They are few: each condition has an index."""
        found: list[tuple[UUID, datetime]] = []
        for condition in (FREE, RUNNING):
            query = select(_run.id, _run.ledger_at).where(text(condition), _run.trigger == Trigger.NOTIFY)
            found += [(row.id, row.ledger_at) for row in await self._connection.execute(query)]
        return found

    async def lock_notice(self, run_id: UUID, ledger_at: datetime) -> AnyRow | None:
        """With `id`, `ledger_at` and `call`."""
        query = select(_run.id, _run.ledger_at, _run.call).where(_run.id == run_id, _run.ledger_at == ledger_at)
        return (await self._connection.execute(query.with_for_update())).first()

    async def write_notice(self, notice: AnyRow, call: Mapping[str, Any]) -> None:
        which = (_run.id == notice.id) & (_run.ledger_at == notice.ledger_at)
        await self._connection.execute(update(job_runs).where(which).values(call=call))
