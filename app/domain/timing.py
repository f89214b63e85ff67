"""When a planned run may start, and by when it must have ended."""

from __future__ import annotations

from datetime import datetime, timedelta
from hashlib import blake2b
from uuid import UUID

from app.domain.misfire import PlannedRun
from app.domain.policies import Policies
from app.domain.run import State, Trigger

_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
_MICROSECOND = timedelta(microseconds=1)


def due_at(run: PlannedRun, job_id: UUID, policies: Policies) -> datetime:
    """Within its job's jitter after its occurrence; a run that is caught up is late enough."""
    if run.trigger is not Trigger.SCHEDULE or run.state is not State.PENDING:
        return run.occurrence
    return run.occurrence + jitter(job_id, run.occurrence, timedelta(seconds=policies.jitter_seconds))


def deadline_at(run: PlannedRun, due: datetime, claimed_at: datetime, policies: Policies) -> datetime | None:
    """It counts from when the run is due; for one that is caught up from its claim."""
    if policies.deadline_seconds is None or run.state is not State.PENDING:
        return None
    begin = due if run.trigger is Trigger.SCHEDULE else claimed_at
    return begin + timedelta(seconds=policies.deadline_seconds)


def jitter(job_id: UUID, occurrence: datetime, most: timedelta) -> timedelta:
    """A delay in [0, most), the same wherever it is computed, in whole microseconds."""
    if not most:
        return most
    micros = (occurrence - _EPOCH) // _MICROSECOND
    seed = job_id.bytes + micros.to_bytes(8, "big", signed=True)
    fraction = int.from_bytes(blake2b(seed, digest_size=8, person=b"jitter").digest(), "big")
    return (most // _MICROSECOND * fraction >> 64) * _MICROSECOND
