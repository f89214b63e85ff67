"""Use cases of a backfill: make runs of past occurrences, see how far they are, and cancel them."""

from __future__ import annotations

from asyncio import to_thread
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import datetime
from itertools import islice
from secrets import token_bytes
from typing import Any
from uuid import UUID

from app.db.engine import Database
from app.db.insert_runs import new_values
from app.db.transaction import Transaction, reading, transaction
from app.domain.backfill import CANCELED, Backfill, BackfillRequest, BackfillState, Looked, Progress, look
from app.domain.claim import Queued
from app.domain.errors import BackfillNotFound, Conflict, InvalidInput, InvalidSchedule, UnknownTimezone
from app.domain.gates import backfill_gate
from app.domain.identity import backfilled_id, created_id
from app.domain.job import PersistedJob
from app.domain.recurrence import RESOLUTION, Recurrence
from app.domain.run import State, Trigger
from app.service.exclusions import exclusions_of
from app.service.hooks import SchedulerHooks
from app.service.jobs import found
from app.service.quotas import admit_runs
from app.service.runs import require_host

BATCH = 1000
"""So many occurrences at a time are looked for in the ledger."""

Told = tuple[Backfill, Progress]


class BackfillService:
    """Raises the errors of `domain.errors`."""

    def __init__(self, database: Database, hooks: SchedulerHooks) -> None:
        self._database = database
        self._hooks = hooks

    async def create(self, name: str, request: BackfillRequest) -> Told:
        """Of the job as it is now, also of one that is paused.

        The occurrences are computed before the job is locked, and again if it has changed until then.
        """
        while True:
            job, looked = await self._look(name, request)
            async with transaction(self._database) as tx:
                locked = found(await tx.jobs.lock(name), name)
                if (locked.uid, locked.version) != (job.uid, job.version):
                    continue
                backfill, runs = await _make(tx, locked, request, looked)
                progress = (await tx.backfills.progress([backfill]))[backfill.id]
                await tx.audit_log.note("backfill.create", name, backfill.id, after=request)
            first = islice(runs, backfill.concurrency)
            host = require_host(job)
            self._hooks.runs_queued([Queued(each["id"], each["ledger_at"], host, yields=True) for each in first])
            return backfill, progress

    async def get(self, backfill_id: UUID) -> Told:
        async with reading(self._database) as tx:
            return await _known(tx, backfill_id)

    async def page(self, job_name: str | None, before: UUID | None, limit: int) -> list[Told]:
        async with reading(self._database) as tx:
            backfills = await tx.backfills.page(job_name, before, limit)
            progress = await tx.backfills.progress(backfills)
        return [(each, progress[each.id]) for each in backfills]

    async def cancel(self, backfill_id: UUID, note: str | None = None) -> Told:
        """What is not called has ended then; calls end as soon as their replicas have cut them.

        The first reason stays. Raises Conflict for one that is done.
        """
        async with transaction(self._database) as tx:
            backfill, _ = await _known(tx, backfill_id)
            await tx.jobs.lock_among([backfill.job_id])
            backfill, progress = await _known(tx, backfill_id)
            if progress.state(backfill) is BackfillState.DONE:
                raise Conflict(f"The backfill {backfill_id} is done.", remedy="Its runs can be retried one by one.")
            reason = f"{CANCELED}: {note}" if note else CANCELED
            ended, called = await tx.backfills.cancel(backfill, reason, await tx.time())
            told = await _known(tx, backfill_id)
            await tx.audit_log.note("backfill.cancel", backfill.job_name, backfill_id, after={"note": note})
        self._hooks.runs_ended([(State.CANCELED, Trigger.BACKFILL)] * ended)
        if called:
            self._hooks.cancel_asked()
        return told

    async def _look(self, name: str, request: BackfillRequest) -> tuple[PersistedJob, Looked]:
        async with reading(self._database) as tx:
            job, at = found(await tx.jobs.get(name), name), await tx.time()
            exclusions = (await exclusions_of(tx, [job]))[job.id]
        _check(request, at)
        require_host(job)
        recurrence = _readable(job)
        return job, await to_thread(look, recurrence, exclusions, request.since, request.until)


async def _make(
    tx: Transaction, job: PersistedJob, request: BackfillRequest, looked: Looked
) -> tuple[Backfill, list[dict[str, Any]]]:
    """The backfill and the rows of its runs, oldest first. The job must be locked."""
    at, until = await tx.time(), _settled_until(job, request.until)
    chosen, is_full = await _chosen(tx, job, request, [each for each in looked.occurrences if each <= until])
    if request.only_missing:
        await _require_kept(tx, job, request.since)
    next_since, left_out = chosen[-1] if is_full else looked.up_to, 0
    if next_since is not None and next_since < until:
        left_out = await to_thread(Recurrence.of(job, job.anchor).count_between, next_since, until)
    backfill = Backfill(
        **asdict(request),
        id=created_id(at, token_bytes(16)),
        job_id=job.uid,
        job_name=job.name,
        job_version=job.version,
        total=len(chosen),
        left_out=left_out,
        next_since=next_since if left_out else None,
        created_at=at,
    )
    await admit_runs(tx, job, len(chosen), at)
    await tx.backfills.add(backfill)
    runs = list(_runs(backfill, chosen))
    if runs:
        await tx.runs.add(runs)
    return backfill, runs


async def _require_kept(tx: Transaction, job: PersistedJob, since: datetime) -> None:
    """Of what is no longer in the ledger nobody can say whether it is missing.

    A run that was backfilled stands where that was made, so it tells of occurrences from before the job was there.
    """
    gone = (await tx.retention.pruned([job.uid])).get(job.uid)
    if gone is not None and since < gone and job.created_at < gone:
        raise InvalidInput(
            f"Nobody can say what is missing: runs of the job before {gone:%Y-%m-%dT%H:%M:%SZ} are kept no more.",
            field="since",
            remedy="Use that instant or a later one, or only_missing: false to run them all.",
        )


async def _chosen(
    tx: Transaction, job: PersistedJob, request: BackfillRequest, occurrences: Sequence[datetime]
) -> tuple[list[datetime], bool]:
    """The first `max` of them that are to run, and whether there are so many."""
    if not request.only_missing:
        return list(occurrences[: request.max]), len(occurrences) >= request.max
    chosen: list[datetime] = []
    for start in range(0, len(occurrences), BATCH):
        batch = occurrences[start : start + BATCH]
        needless = await tx.backfills.need_no_run(job.uid, batch)
        chosen += [each for each in batch if each not in needless]
        if len(chosen) >= request.max:
            return chosen[: request.max], True
    return chosen, False


def _runs(backfill: Backfill, occurrences: Iterable[datetime]) -> Iterable[dict[str, Any]]:
    """They begin by waiting for their turn."""
    at, job = backfill.created_at, (backfill.job_id, backfill.job_name, backfill.job_version)
    facts = {"trigger": Trigger.BACKFILL, "state": State.PENDING, "reason": None}
    queue = {"backfill_id": backfill.id, "waiting_for": backfill_gate(backfill.id)}
    for each in occurrences:
        values = new_values(backfilled_id(backfill.id, at, each), at, *job)
        yield values | facts | queue | {"scheduled_for": each}


def _settled_until(job: PersistedJob, until: datetime) -> datetime:
    """What is due by now and not in the ledger yet, its schedule is going to run."""
    if job.next_run is not None:
        return min(until, job.next_run - RESOLUTION)
    return until if job.paused_until is None else min(until, job.paused_until)


def _check(request: BackfillRequest, at: datetime) -> None:
    if request.since >= request.until:
        raise InvalidInput("since is not before until.", field="since", remedy="Use an earlier instant.")
    if request.until > at:
        raise InvalidInput(
            f"until is to come: it is {at:%Y-%m-%dT%H:%M:%SZ} by the database's clock.",
            field="until",
            remedy="Use an instant that is past.",
        )


def _readable(job: PersistedJob) -> Recurrence:
    """Raises Conflict where nobody can say when the job was due."""
    recurrence = Recurrence.of(job, job.anchor)
    try:
        never = recurrence.parsed().never_by_itself
    except (InvalidSchedule, UnknownTimezone) as error:
        raise _unreadable(job, str(error)) from error
    if job.problem is not None:
        raise _unreadable(job, job.problem)
    if never:
        raise Conflict(f"The job {job.name} is never due by itself.", remedy="Trigger it.")
    return recurrence


def _unreadable(job: PersistedJob, problem: str) -> Conflict:
    return Conflict(f"The job {job.name} can't be scheduled: {problem}", remedy="Set it right with PATCH.")


async def _known(tx: Transaction, backfill_id: UUID) -> Told:
    backfill = await tx.backfills.get(backfill_id)
    if backfill is None:
        raise BackfillNotFound(
            f"There is no backfill {backfill_id}.", remedy="GET /v1/backfills lists those that there are."
        )
    return backfill, (await tx.backfills.progress([backfill]))[backfill_id]
