"""The course of a job: what is still to come of it, until it is completed."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from app.domain.job import PersistedJob
from app.domain.policies import Policies
from app.domain.recurrence import Recurrence


def remaining(policies: Policies, runs_made: int) -> int | None:
    """How many runs the job's schedule may still make; None is no end."""
    return None if policies.max_runs is None else max(policies.max_runs - runs_made, 0)


def is_exhausted(job: PersistedJob) -> bool:
    """Whether the job has made all its runs: whatever its schedule says, nothing is due any more."""
    return remaining(job.policies, job.runs_made) == 0


def going_on(job: PersistedJob, after: datetime) -> PersistedJob:
    """The enabled job, waiting for its next occurrence, or completed. Raises InvalidInput where it can't be read."""
    recurrence = Recurrence.of(job, job.anchor)
    following = None if is_exhausted(job) else recurrence.accounted().next_after(after)
    completed = following is None and not recurrence.parsed().never_by_itself
    return replace(job, next_run=following, completed=completed)
