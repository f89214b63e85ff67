"""Pausing a job, and the end of a pause that was made until an instant."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import structlog

from app.db.engine import Database
from app.db.transaction import Transaction, reading, transaction
from app.domain.claim import Queued
from app.domain.errors import InvalidInput, StoreUnavailable
from app.domain.job import PersistedJob
from app.domain.span import UNSCHEDULABLE
from app.service.change import change, close_spans, host_of, resumed
from app.service.rules import COMPUTED_UNDER
from app.service.settle import settle
from app.service.switch import as_started, as_stopped

BATCH = 200

_log = structlog.get_logger()


class TimedPauses:
    """See `scheduler.ports.PauseStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def end_due(self) -> list[int]:
        """One by one: a job that can't be resumed keeps none of the others waiting."""
        async with reading(self._database) as tx:
            due = await tx.jobs.paused_until(await tx.time(), BATCH)
        ended = []
        for job_id in due:
            try:
                ended += await self._resume(job_id)
            except StoreUnavailable:
                raise
            except Exception:  # noqa: BLE001  # whatever it is, it is this job's
                _log.exception("a pause could not be ended", job_id=job_id)
        return ended

    async def _resume(self, job_id: int) -> list[int]:
        """Nothing where somebody else was first, or is at it."""
        async with transaction(self._database) as tx:
            job = await tx.jobs.lock_unless_locked(job_id)
            resumed = job is not None and await awake(tx, job) is not job
        return [job_id] if resumed else []


async def pause(
    tx: Transaction, job: PersistedJob, note: str | None = None, until: datetime | None = None
) -> tuple[PersistedJob, list[Queued]]:
    """The job, which must be locked, and what is pending of it. Of one that is paused already, this is said anew.

    Raises InvalidInput where `until` is past.
    """
    if until is not None and until <= await tx.boundary([job]):
        raise InvalidInput(
            f"until is past: {until:%Y-%m-%dT%H:%M:%SZ}.",
            field="until",
            remedy="Use an instant to come, or leave it out to pause until it is resumed.",
        )
    if (job.enabled, job.pause_note, job.paused_until) == (False, note, until):
        return job, []
    said = replace(job, pause_note=note, paused_until=until)
    return await change(tx, said, replace(job.definition(), enabled=False))


async def awake(tx: Transaction, job: PersistedJob) -> PersistedJob:
    """The job as it is by now, which must be locked: resumed if its pause is over."""
    at = await tx.time()
    if job.paused_until is None or job.paused_until > at:
        return job
    return await _resumed_at(tx, job, job.paused_until, at)


async def _resumed_at(tx: Transaction, job: PersistedJob, until: datetime, at: datetime) -> PersistedJob:
    """As of `until`, however late that is: what was due since then is due still."""
    stopped, since = await tx.switch.held()
    await close_spans(tx, [job], until)
    job = as_started(replace(resumed(job), version=job.version + 1, updated_at=at), until)
    if job.problem is not None:
        job = replace(job, next_run=None)
        await tx.spans.open([job], until, UNSCHEDULABLE)
    elif stopped:
        job = await _stop(tx, job, max(until, since))
    await tx.jobs.write([(job, host_of(job))], COMPUTED_UNDER)
    await tx.versions.end([job.uid], until)
    await tx.versions.begin([job], until)
    await tx.notify(job.id)
    return job


async def _stop(tx: Transaction, job: PersistedJob, since: datetime) -> PersistedJob:
    """What was due before gets its rows: the switch may have been turned after the pause was over."""
    [job], _ = await settle(tx, [job], since)
    job, reason = as_stopped(job, since)
    if reason:
        await tx.spans.open([job], since, reason)
    return job
