"""Use cases of the ledger: read it, run a job now, cancel a run, and run one again."""

from __future__ import annotations

from datetime import datetime, timedelta
from secrets import token_bytes
from uuid import UUID

from app.db.engine import Database
from app.db.insert_runs import new_values
from app.db.runs import RunFilter
from app.db.transaction import Transaction, reading, transaction
from app.domain.attempt import Attempt
from app.domain.claim import Queued
from app.domain.errors import Conflict, InvalidEndpoint, RunNotFound
from app.domain.identity import created_id
from app.domain.job import PersistedJob
from app.domain.lifecycle import ENDED
from app.domain.run import Run, State, Trigger
from app.domain.span import Span
from app.service.hooks import SchedulerHooks
from app.service.jobs import found
from app.service.quotas import admit_runs
from app.target.endpoint import canonical_endpoint, host_key

CANCELED = "canceled by hand"


class RunService:
    """Raises the errors of `domain.errors`."""

    def __init__(self, database: Database, hooks: SchedulerHooks) -> None:
        self._database = database
        self._hooks = hooks

    async def get(self, run_id: UUID) -> Run:
        async with reading(self._database) as tx:
            return _known(await tx.runs.get(run_id), run_id)

    async def page(self, filters: RunFilter, before: UUID | None, limit: int) -> list[Run]:
        async with reading(self._database) as tx:
            return await tx.runs.page(filters, before, limit)

    async def attempts(self, run_id: UUID, after: int | None, limit: int) -> list[Attempt]:
        """Oldest first, at most `limit` after that fence; the call that is under way comes last."""
        async with reading(self._database) as tx:
            _known(await tx.runs.get(run_id), run_id)
            under_way = await tx.attempts.under_way(run_id)
            found = await tx.attempts.page(run_id, after, limit)
        ended = {each.fence for each in found}
        return [*found, *(each for each in under_way if each.fence not in ended)][:limit]

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
            run, host = await _make(tx, job, trigger=Trigger.MANUAL)
            await tx.audit_log.note("job.trigger", name, job.uid, after={"run": run.id})
        self._tell(run, host)
        return run

    async def retry(self, run_id: UUID) -> Run:
        """Another run for the same instant, of the job as it is now.

        Raises Conflict for a run that goes on, and for a notice, which is no run of the job.
        """
        async with transaction(self._database) as tx:
            run, job = await _locked(tx, run_id)
            if run.state not in ENDED:
                raise Conflict(f"The run {run_id} is {run.state}.", remedy="Wait for its end, or cancel it.")
            if run.trigger is Trigger.NOTIFY:
                raise Conflict(f"The run {run_id} is a notice.", remedy="Retry the run of which it tells.")
            if job is None:
                raise Conflict(f"The job {run.job_name} is deleted.", remedy="Create it again, and trigger it.")
            again, host = await _make(tx, job, trigger=Trigger.RETRY, retry_of=run_id, scheduled_for=run.scheduled_for)
            await tx.audit_log.note("run.retry", job.name, run_id, after={"run": again.id})
        self._tell(again, host)
        return again

    async def cancel(self, run_id: UUID, note: str | None = None) -> Run:
        """A run that is pending, or waits for its callback, has ended then.

        One that is called ends as soon as its replica has cut the call.

        Raises Conflict for one that has ended.
        """
        async with transaction(self._database) as tx:
            run, _ = await _locked(tx, run_id)
            if run.state in ENDED:
                raise Conflict(f"The run {run_id} has ended: it is {run.state}.", remedy="Retry it to have it again.")
            await tx.runs.cancel(run, f"{CANCELED}: {note}" if note else CANCELED, await tx.time())
            run = _known(await tx.runs.get(run_id), run_id)
            await tx.audit_log.note("run.cancel", run.job_name, run_id, after={"note": note})
        if run.state in ENDED:
            self._hooks.runs_ended([(run.state, run.trigger)])
        else:
            self._hooks.cancel_asked()
        return run

    def _tell(self, run: Run, host: str) -> None:
        self._hooks.runs_queued([Queued(run.id, run.ledger_at, host)])


async def _locked(tx: Transaction, run_id: UUID) -> tuple[Run, PersistedJob | None]:
    """The run, and its job unless that is deleted; the job is locked first, as everywhere."""
    run = _known(await tx.runs.get(run_id), run_id)
    jobs = await tx.jobs.lock_among([run.job_id])
    return _known(await tx.runs.lock(run_id), run_id), jobs[0] if jobs else None


async def _make(tx: Transaction, job: PersistedJob, **facts: object) -> tuple[Run, str]:
    """A run that a person wants now, and the host that it calls."""
    host = require_host(job)
    at = await tx.time()
    await admit_runs(tx, job, 1, at)
    run_id = created_id(at, token_bytes(16))
    values = new_values(run_id, at, job.uid, job.name, job.version)
    values |= {"state": State.PENDING, "reason": None, "deadline_at": _deadline(job, at)}
    await tx.runs.add([values | facts])
    return _known(await tx.runs.get(run_id), run_id), host


def _deadline(job: PersistedJob, at: datetime) -> datetime | None:
    seconds = job.policies.deadline_seconds
    return None if seconds is None else at + timedelta(seconds=seconds)


def _known(run: Run | None, run_id: UUID) -> Run:
    if run is None:
        raise RunNotFound(f"There is no run {run_id}.", remedy="GET /v1/runs lists those that there are.")
    return run


def require_host(job: PersistedJob) -> str:
    try:
        return host_key(canonical_endpoint(job.endpoint or ""))
    except InvalidEndpoint as error:
        raise Conflict(
            f"The job {job.name} has no endpoint to call: {error}", remedy="Give it one with PATCH."
        ) from error
