"""Jobs that have failed as often in a row as they may pause themselves."""

from __future__ import annotations

from dataclasses import replace

import structlog

from app.db.engine import Database
from app.db.notices import notices
from app.db.transaction import reading, transaction
from app.domain.claim import Paused
from app.domain.errors import StoreUnavailable
from app.domain.job import PersistedJob
from app.domain.notice import Event, News
from app.service.pauses import pause

BATCH = 200

_log = structlog.get_logger()


class FailingJobs:
    """See `scheduler.ports.FailureStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def pause_failing(self) -> Paused:
        """One by one: a job that can't be paused keeps none of the others going."""
        async with reading(self._database) as tx:
            failing = await tx.jobs.failing(BATCH)
        paused = Paused()
        for job_id in failing:
            try:
                paused = await self._pause(job_id, paused)
            except StoreUnavailable:
                raise
            except Exception:  # noqa: BLE001  # whatever it is, it is this job's
                _log.exception("a failing job could not be paused", job_id=job_id)
        return paused

    async def _pause(self, job_id: int, before: Paused) -> Paused:
        """With what was paused before. A job that is gone counts as locked: it is not found again."""
        async with transaction(self._database) as tx:
            job = await tx.jobs.lock_unless_locked(job_id)
            if job is None:
                return replace(before, busy=True)
            if not _has_failed_enough(job):
                return before
            paused, queued = await pause(tx, job, f"paused after {job.failures_in_a_row} failed runs")
            if told := notices(paused, paused.policies.notify, _news(paused), await tx.time()):
                await tx.runs.add(told)
        _log.warning("job paused", job=job.name, failures=job.failures_in_a_row)
        return replace(before, jobs=[*before.jobs, job_id], queued=[*before.queued, *queued])


def _news(job: PersistedJob) -> News:
    return News(event=Event.AUTO_PAUSED, reason=job.pause_note, error=job.last_error, count=job.failures_in_a_row)


def _has_failed_enough(job: PersistedJob) -> bool:
    limit = job.policies.pause_after_failures
    return job.enabled and limit is not None and job.failures_in_a_row >= limit
