"""Rows in which values stand encrypted: jobs, and notices that are still to be sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import String, cast, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.locking import locking
from app.db.tables import cron_jobs, job_runs
from app.db.types import AnyRow
from app.domain.run import State, Trigger

_job, _run = cron_jobs.c, job_runs.c
_FIELDS = (_job.headers, _job.policies)
_TO_SEND = _run.state.in_([State.PENDING, State.RUNNING]) & (_run.trigger == Trigger.NOTIFY)


class SealedRepository:
    """Within the caller's transaction. What is locked is written without a new version: nothing of it is new."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def lock_jobs(self, after: int, limit: int) -> list[AnyRow]:
        """A page by id of the jobs that have some, with `id`, `headers` and `policies`."""
        sealed = [cast(column, String).contains("sealed") for column in _FIELDS]
        query = select(_job.id, *_FIELDS).where(_job.id > after, sealed[0] | sealed[1])
        return list(await self._connection.execute(locking(self._connection.dialect.name, query, limit)))

    async def write_job(self, job_id: int, values: Mapping[str, Any]) -> None:
        """`values` of `headers` and `policies`."""
        await self._connection.execute(update(cron_jobs).where(_job.id == job_id).values(values))

    async def lock_notices(self, after: UUID, limit: int) -> list[AnyRow]:
        """A page by id of those to be sent, with `id`, `ledger_at` and `call`."""
        query = select(_run.id, _run.ledger_at, _run.call).where(_run.id > after, _TO_SEND)
        found = await self._connection.execute(query.order_by(_run.id).limit(limit).with_for_update())
        return list(found)

    async def write_notice(self, notice: AnyRow, call: Mapping[str, Any]) -> None:
        which = (_run.id == notice.id) & (_run.ledger_at == notice.ledger_at)
        await self._connection.execute(update(job_runs).where(which).values(call=call))
