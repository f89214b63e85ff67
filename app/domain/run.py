"""A run: what became of one occurrence, or of one manual trigger."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID


class Trigger(StrEnum):
    """Why a run exists."""

    SCHEDULE = "schedule"
    CATCH_UP = "catch_up"
    MANUAL = "manual"


class State(StrEnum):
    """Where a run stands."""

    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"
    SKIPPED = "skipped"
    MISSED = "missed"
    LOST = "lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A row of `job_runs`; `started_at` is its first attempt's start, `replica` who holds it or held it last."""

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
    attempt: int
    started_at: datetime | None
    finished_at: datetime | None
    status_code: int | None
    error: str | None
    response_excerpt: str | None
    replica: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One attempt of a run as the target is to see it; every attempt of a run carries the same `run_id`."""

    run_id: UUID
    job_id: UUID
    job_name: str
    job_version: int
    scheduled_for: datetime
    trigger: Trigger
    attempt: int
    endpoint: str
    method: str
    headers: dict[str, str]
    body: Any
    timeout_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a call ended. `error` is None exactly when it succeeded; the excerpt is at most 2 KiB of text without NUL."""

    error: str | None
    status_code: int | None = None
    response_excerpt: str | None = None

    @property
    def succeeded(self) -> bool:
        return self.error is None
