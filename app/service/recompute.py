"""When the law changes the clocks, or the dialect what a text means: next times are computed anew.

A job that was adopted from the seed's table has never been computed, and takes the same way.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from app.db.engine import Database
from app.db.transaction import Transaction, transaction
from app.domain.errors import InvalidInput
from app.domain.job import PersistedJob
from app.domain.recurrence import Recurrence
from app.domain.schedule import parse
from app.domain.span import UNSCHEDULABLE
from app.service.change import close_spans, idle_reason
from app.service.rules import COMPUTED_UNDER
from app.service.settle import settle
from app.service.validation import require_future
from app.target.endpoint import canonical_endpoint, host_key

BATCH = 200


async def recompute(database: Database) -> int:
    """How many jobs were computed under earlier rules, and are not any more."""
    total = 0
    while done := await _batch(database):
        total += done
    return total


async def _batch(database: Database) -> int:
    async with transaction(database) as tx:
        stopped = await tx.switch.paused()
        jobs = await tx.jobs.lock_computed_before(COMPUTED_UNDER, BATCH)
        for job in jobs:
            await _renew(tx, job, await tx.time(), stopped=stopped)
        if jobs:
            await tx.notify(None)
    return len(jobs)


async def _renew(tx: Transaction, job: PersistedJob, at: datetime, *, stopped: bool) -> None:
    """What is due by the old rules is settled first; the new ones begin as a new version at this instant."""
    await settle(tx, [job], at)
    await close_spans(tx, [job], at)
    renewed = _renewed(job, at)
    reason = UNSCHEDULABLE if renewed.problem else idle_reason(renewed, stopped=stopped)
    if reason:
        renewed = replace(renewed, next_run=None)
        await tx.spans.open([(renewed.uid, renewed.version)], at, reason)
    await tx.jobs.write(renewed, host=_host(renewed), computed_under=COMPUTED_UNDER)
    await tx.versions.end([job.uid], at)
    await tx.versions.begin([renewed], at)


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


def _host(job: PersistedJob) -> str:
    """A job whose schedule can't be read may still be triggered."""
    try:
        return host_key(canonical_endpoint(job.endpoint or ""))
    except InvalidInput:
        return ""
