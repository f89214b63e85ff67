"""A run: what became of one occurrence, or of one manual trigger."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from app.domain.attempt import Timing
from app.domain.auth import Auth
from app.domain.namespace import DEFAULT, entry_key
from app.domain.secret import HeaderValue
from app.domain.success import Success
from app.domain.tls import Tls


class Trigger(StrEnum):
    """Why a run exists. `retry` is a person's, of a run that had ended; `notify` tells what became of its job.

    `backfill` is a past occurrence that a person wants run.
    """

    SCHEDULE = "schedule"
    CATCH_UP = "catch_up"
    MANUAL = "manual"
    RETRY = "retry"
    NOTIFY = "notify"
    BACKFILL = "backfill"


COUNTED = frozenset({Trigger.SCHEDULE, Trigger.CATCH_UP})
"""Their failures in a row count, and a job that begins to fail tells of them. What people start is their affair."""


class State(StrEnum):
    """Where a run stands."""

    PENDING = "pending"
    RUNNING = "running"
    WAITING = "waiting"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"
    SKIPPED = "skipped"
    MISSED = "missed"
    LOST = "lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A row of `job_runs`; `started_at` is its first attempt's start, `replica` who holds it or held it last.

    `due_at` is when the next attempt may start, or, while it waits for its callback, when it is given up. `waiting_for`
    is what keeps it from its start, `delayed_by` what last kept it from its first, see `app.domain.delay`. `retry_of`
    is the run that a person had repeated by this one, `backfill_id` what made it, `cancel_reason` why its call is to be
    cut, `takeovers` how many replicas died on it.
    """

    id: UUID
    ledger_at: datetime
    job_id: UUID
    job_name: str
    job_version: int
    scheduled_for: datetime
    trigger: Trigger
    state: State
    reason: str | None
    due_at: datetime
    deadline_at: datetime | None
    waiting_for: str | None
    delayed_by: str | None
    retry_of: UUID | None
    backfill_id: UUID | None
    cancel_reason: str | None
    attempt: int
    takeovers: int
    started_at: datetime | None
    finished_at: datetime | None
    status_code: int | None
    error: str | None
    response_excerpt: str | None
    replica: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One attempt of a run as the target is to see it; every attempt of a run carries the same `run_id`.

    With a `callback_token` the target may answer 202, and say later what became of it. `event` is what a notice tells.
    Secrets are named, as their `namespace` has them, or sealed: what is sent is `app.domain.revealed.Revealed`.
    """

    run_id: UUID
    job_id: UUID
    job_name: str
    job_version: int
    scheduled_for: datetime
    trigger: Trigger
    attempt: int
    endpoint: str
    method: str
    headers: Mapping[str, HeaderValue]
    body: Any
    timeout_seconds: float
    max_redirects: int = 0
    success: Success = field(default_factory=Success)
    callback_token: str | None = None
    event: str | None = None
    auth: Auth | None = None
    signing: tuple[str, ...] = ()
    tls: Tls = field(default_factory=Tls)
    namespace: str = DEFAULT

    @property
    def job_key(self) -> str:
        """The job's name, unique over all namespaces."""
        return entry_key(self.namespace, self.job_name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a call ended. `error` is None unless it failed; the excerpt is at most 2 KiB of text without NUL.

    `retry_after` is how long the target asked to wait. `accepted`: it will call back, and say then how it ended.
    """

    error: str | None
    status_code: int | None = None
    response_excerpt: str | None = None
    retry_after: timedelta | None = None
    accepted: bool = False
    timing: Timing = field(default=Timing(), compare=False)

    @property
    def succeeded(self) -> bool:
        return self.error is None and not self.accepted

    @property
    def kind(self) -> str | None:
        """The first word of the error, such as `connect`, `timeout` or `status`."""
        return None if self.error is None else self.error.partition(" ")[0].rstrip(":")
