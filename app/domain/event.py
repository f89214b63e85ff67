"""Events: what happened to runs and jobs, in the order in which it may be told."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from app.domain.run import Trigger


class EventKind(StrEnum):
    """`run.<state>`: a run came to this state, or was born in it. `job.changed`: a new version, or a new problem."""

    RUN_PENDING = "run.pending"
    RUN_RUNNING = "run.running"
    RUN_WAITING = "run.waiting"
    RUN_SUCCEEDED = "run.succeeded"
    RUN_FAILED = "run.failed"
    RUN_CANCELED = "run.canceled"
    RUN_SKIPPED = "run.skipped"
    RUN_MISSED = "run.missed"
    RUN_LOST = "run.lost"
    JOB_CREATED = "job.created"
    JOB_CHANGED = "job.changed"
    JOB_COMPLETED = "job.completed"
    JOB_FAILING = "job.failing"
    JOB_RECOVERED = "job.recovered"
    JOB_DELETED = "job.deleted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A row of `events`; of a job's events the fields after `job_version` are None, but for `reason`."""

    id: int
    at: datetime
    kind: EventKind
    job_id: UUID
    job_name: str
    job_version: int
    run_id: UUID | None
    scheduled_for: datetime | None
    trigger: Trigger | None
    attempt: int | None
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFilter:
    """`job` is the name that it had then; no kinds are all, no namespace is every one."""

    namespace: str | None = None
    job: str | None = None
    kinds: frozenset[EventKind] = field(default_factory=frozenset)


class Reset(StrEnum):
    """Why a stream can't go on where it was asked to: what came next is gone, or the id is of another ledger."""

    AGED = "aged"
    UNKNOWN = "unknown"
