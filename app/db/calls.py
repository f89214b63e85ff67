"""From a row of `cron_jobs` to the call that is to be made: always the row's current version."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from app.db.tables import cron_jobs
from app.db.types import AnyRow
from app.domain.claim import Started
from app.domain.run import Call, Trigger

CALL_COLUMNS = (
    cron_jobs.c.uid,
    cron_jobs.c.name,
    cron_jobs.c.version,
    cron_jobs.c.endpoint,
    cron_jobs.c.host,
    cron_jobs.c.method,
    cron_jobs.c.headers,
    cron_jobs.c.body,
    cron_jobs.c.timeout_seconds,
)


def started(  # noqa: PLR0913  # each is a fact of the run that the job's row does not have
    job: AnyRow,
    *,
    run_id: UUID,
    ledger_at: datetime,
    scheduled_for: datetime,
    trigger: Trigger,
    attempt: int,
    fence: int,
    started_at: datetime,
) -> Started:
    """`job` is a row with CALL_COLUMNS."""
    call = Call(
        run_id=run_id,
        job_id=job.uid,
        job_name=job.name,
        job_version=job.version,
        scheduled_for=scheduled_for,
        trigger=trigger,
        attempt=attempt,
        endpoint=job.endpoint,
        method=job.method,
        headers=job.headers,
        body=job.body,
        timeout_seconds=job.timeout_seconds,
    )
    return Started(call, ledger_at, fence, job.host, started_at)
