"""Runs that have been started, for tests of what is told of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from app.domain.claim import Finished, Started
from app.domain.namespace import DEFAULT
from app.domain.run import Call, Outcome, Trigger

AT = datetime(2027, 1, 1, tzinfo=UTC)
ME, OTHER = UUID(int=0xA), UUID(int=0xB)


def started(job: str = "job", fence: int = 1, run: UUID | None = None, namespace: str = DEFAULT) -> Started:
    call = Call(
        run_id=run or uuid4(),
        job_id=UUID(int=2),
        job_name=job,
        job_version=1,
        scheduled_for=AT,
        trigger=Trigger.SCHEDULE,
        attempt=1,
        endpoint="http://example.com/",
        method="POST",
        headers={},
        body=None,
        timeout_seconds=30,
        namespace=namespace,
    )
    return Started(call, AT, fence, "example.com:80", AT)


def finished(job: str, began: datetime, namespace: str = DEFAULT) -> Finished:
    return Finished(
        started(job, namespace=namespace), Outcome(error=None, status_code=200), began, began + timedelta(seconds=1)
    )
