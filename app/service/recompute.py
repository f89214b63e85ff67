"""When the law changes the clocks, or the dialect what a text means: next times are computed anew.

A job that was adopted from the seed's table has never been computed, and takes the same way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from app.db.engine import Database
from app.db.transaction import Transaction, transaction
from app.domain.errors import InvalidInput
from app.domain.job import PersistedJob
from app.domain.recurrence import Recurrence
from app.domain.schedule import parse
from app.domain.span import UNSCHEDULABLE
from app.service.change import close_spans, host_of, idle_reason
from app.service.rules import COMPUTED_UNDER
from app.service.settle import settle
from app.service.validation import require_future
from app.target.endpoint import canonical_endpoint

BATCH = 200


async def recompute(database: Database) -> int:
    """How many jobs were computed under earlier rules, and are not any more."""
    total = 0
    while done := await _batch(database):
        total += done
    return total


async def _batch(database: Database) -> int:
    """What is due by the old rules is settled first; the new ones begin as new versions at the same instant."""
    async with transaction(database) as tx:
        stopped = await tx.switch.paused()
        jobs = await tx.jobs.lock_computed_before(COMPUTED_UNDER, BATCH)
        if jobs:
            at = await tx.time()
            await settle(tx, jobs, at)
            await close_spans(tx, jobs, at)
            await _begin(tx, [_renewed(job, at) for job in jobs], at, stopped=stopped)
            await tx.notify(None)
    return len(jobs)


async def _begin(tx: Transaction, jobs: Sequence[PersistedJob], at: datetime, *, stopped: bool) -> None:
    idle = {job.uid: UNSCHEDULABLE if job.problem else idle_reason(job, stopped=stopped) for job in jobs}
    for reason in {reason for reason in idle.values() if reason}:
        await tx.spans.open([(job.uid, job.version) for job in jobs if idle[job.uid] == reason], at, reason)
    written = [replace(job, next_run=None) if idle[job.uid] else job for job in jobs]
    await tx.jobs.write([(job, host_of(job)) for job in written], COMPUTED_UNDER)
    await tx.versions.end([job.uid for job in jobs], at)
    await tx.versions.begin(jobs, at)


def _renewed(job: PersistedJob, at: datetime) -> PersistedJob:
    """A job that has run its course is no problem, one that never had any is."""
    renewed = replace(job, version=job.version + 1, updated_at=at, problem=None, next_run=None)
    try:
        renewed = replace(renewed, timezone=_zone(job))
        recurrence = Recurrence.of(renewed, job.anchor)
        require_future(recurrence, job.created_at)
        renewed = replace(renewed, next_run=recurrence.next_after(at))
        return replace(renewed, endpoint=canonical_endpoint(job.endpoint or ""))
    except InvalidInput as error:
        return replace(renewed, problem=str(error))


def _zone(job: PersistedJob) -> str:
    """The seed knows a zone as a prefix alone."""
    prefix = parse(job.schedule, name=job.name).timezone
    return job.timezone if prefix == "UTC" else prefix
