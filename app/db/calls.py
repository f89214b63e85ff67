"""From a row of `cron_jobs` to the call that is to be made: always the row's current version."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from app.db.policies import policies_in_force
from app.db.tables import cron_jobs
from app.db.types import AnyRow
from app.domain.callback import digest, new_token
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
    cron_jobs.c.policies,
    cron_jobs.c.namespace,
)

NOTICE_TIMEOUT = 30.0

CALLBACK_COLUMNS = ("called_at", "callback_token", "callback_seconds")


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
    due_at: datetime,
    deadline_at: datetime | None = None,
    failures: int = 0,
    first_started_at: datetime | None = None,
) -> Started:
    """`job` is a row with CALL_COLUMNS."""
    policies = policies_in_force(job.policies, trigger, job.namespace)
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
        max_redirects=policies.max_redirects,
        success=policies.success,
        auth=policies.auth,
        signing=policies.signing,
        tls=policies.tls,
        namespace=job.namespace,
        callback_token=None if policies.async_completion is None else new_token(),
    )
    return Started(
        call,
        ledger_at,
        fence,
        job.host,
        started_at,
        due_at=due_at,
        policies=policies,
        deadline_at=deadline_at,
        failures=failures,
        first_started_at=first_started_at,
    )


def notice(started: Started, host: str, call: dict[str, Any]) -> Started:
    """What a notice's own row says is called, and not the job."""
    told = replace(
        started.call,
        endpoint=call["endpoint"],
        method="POST",
        headers=call["headers"],
        body=call["body"],
        timeout_seconds=NOTICE_TIMEOUT,
        event=call["body"]["event"],
    )
    return replace(started, call=told, host=host)


def callback_values(started: Started) -> dict[str, Any]:
    """The columns of a run by which a callback of this attempt is known, and the attempt brought to its end."""
    token, completion = started.call.callback_token, started.policies.async_completion
    if token is None or completion is None:
        return dict.fromkeys(CALLBACK_COLUMNS)
    values = (started.started_at, digest(token), completion.timeout_seconds)
    return dict(zip(CALLBACK_COLUMNS, values, strict=True))
