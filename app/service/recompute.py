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
from app.service.change import close_spans, host_of, set_going
from app.service.pauses import awake
from app.service.rules import COMPUTED_UNDER
from app.service.settle import settle
from app.service.validation import require_future
from app.target.endpoint import canonical_endpoint

BATCH = 200


async def recompute(database: Database) -> int:
    """How many jobs were computed under earlier rules, and are not any more."""
    total = after = 0
    while (batch := await _batch(database, after)) is not None:
        done, after = batch
        total += done
    return total


async def _batch(database: Database, after: int) -> tuple[int, int] | None:
    """What is due by the old rules is settled first; the new ones begin as new versions at the same instant.

    How many jobs that were, and the last id of the batch.
    """
    async with transaction(database) as tx:
        stopped = await tx.switch.paused()
        jobs, last = await tx.jobs.lock_computed_before(COMPUTED_UNDER, after, BATCH)
        if jobs:
            jobs = [await awake(tx, job) for job in jobs]
            at = await tx.boundary(jobs)
            jobs, _ = await settle(tx, jobs, at)
            await close_spans(tx, jobs, at)
            await _begin(tx, [_renewed(job, at, stopped=stopped) for job in jobs], at)
            await tx.notify(None)
    return None if last is None else (len(jobs), last)


async def _begin(tx: Transaction, renewed: Sequence[tuple[PersistedJob, str | None]], at: datetime) -> None:
    jobs = [job for job, _ in renewed]
    for idle in {reason for _, reason in renewed if reason}:
        await tx.spans.open([job for job, reason in renewed if reason == idle], at, idle)
    await tx.jobs.write([(job, host_of(job)) for job in jobs], COMPUTED_UNDER)
    await tx.versions.end([job.uid for job in jobs], at)
    await tx.versions.begin(jobs, at)


def _renewed(job: PersistedJob, at: datetime, *, stopped: bool) -> tuple[PersistedJob, str | None]:
    """The job, and why it stands still if it does. One that has run its course is no problem, one without any is."""
    renewed = replace(job, version=job.version + 1, updated_at=at, problem=None, next_run=None, completed=False)
    try:
        renewed = replace(renewed, timezone=_zone(job))
        require_future(Recurrence.of(renewed, job.anchor), job.created_at)
        renewed = replace(renewed, endpoint=canonical_endpoint(job.endpoint or ""))
        return set_going(renewed, at, stopped=stopped)
    except InvalidInput as error:
        return replace(renewed, problem=str(error)), UNSCHEDULABLE


def _zone(job: PersistedJob) -> str:
    """The seed knows a zone as a prefix alone."""
    prefix = parse(job.schedule, name=job.name).timezone
    return job.timezone if prefix == "UTC" else prefix
