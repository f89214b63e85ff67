"""Use cases of the ledger: read it, and run a job now."""

from __future__ import annotations

from secrets import token_bytes
from uuid import UUID

from app.db.engine import Database
from app.db.insert_runs import new_values
from app.db.runs import RunFilter
from app.db.transaction import reading, transaction
from app.domain.claim import Queued
from app.domain.errors import Conflict, InvalidEndpoint, RunNotFound
from app.domain.identity import created_id
from app.domain.job import PersistedJob
from app.domain.run import Run, State, Trigger
from app.domain.span import Span
from app.service.hooks import SchedulerHooks
from app.service.jobs import found
from app.target.endpoint import canonical_endpoint, host_key


class RunService:
    """Raises the errors of `domain.errors`."""

    def __init__(self, database: Database, hooks: SchedulerHooks) -> None:
        self._database = database
        self._hooks = hooks

    async def get(self, run_id: UUID) -> Run:
        async with reading(self._database) as tx:
            run = await tx.runs.get(run_id)
        if run is None:
            raise RunNotFound(f"There is no run {run_id}.", remedy="GET /v1/runs lists those that there are.")
        return run

    async def page(self, filters: RunFilter, before: UUID | None, limit: int) -> list[Run]:
        async with reading(self._database) as tx:
            return await tx.runs.page(filters, before, limit)

    async def job_id(self, name: str) -> UUID:
        async with reading(self._database) as tx:
            return found(await tx.jobs.get(name), name).uid

    async def spans(self, name: str, before: int | None, limit: int) -> list[Span]:
        async with reading(self._database) as tx:
            return await tx.spans.page(found(await tx.jobs.get(name), name).uid, before, limit)

    async def trigger(self, name: str) -> Run:
        """One run now, also of a job that is paused. Raises Conflict for a job whose endpoint can't be called."""
        async with transaction(self._database) as tx:
            job = found(await tx.jobs.lock(name), name)
            host = _host(job)
            at = await tx.time()
            run_id = created_id(at, token_bytes(16))
            values = new_values(run_id, at, job.uid, job.name, job.version)
            await tx.runs.add([values | {"trigger": Trigger.MANUAL, "state": State.PENDING, "reason": None}])
            run = await tx.runs.get(run_id)
        self._hooks.runs_queued([Queued(run_id, at, host)])
        if run is None:
            raise RunNotFound
        return run


def _host(job: PersistedJob) -> str:
    try:
        return host_key(canonical_endpoint(job.endpoint or ""))
    except InvalidEndpoint as error:
        raise Conflict(
            f"The job {job.name} has no endpoint to call: {error}", remedy="Give it one with PATCH."
        ) from error
