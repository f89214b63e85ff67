"""Runs: what became of occurrences."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Self
from uuid import UUID

from pydantic import BaseModel, Field

from app.api.schemas.fields import Instant
from app.api.schemas.page import Page, PageQuery
from app.domain.run import Run, State, Trigger


class JobRunQuery(PageQuery):
    """Which runs of one job."""

    state: State | None = None
    trigger: Trigger | None = None
    since: Instant | None = Field(None, description="Runs that stand in the ledger from this instant on.")
    until: Instant | None = Field(None, description="Runs that stand in the ledger before this instant.")


class RunQuery(JobRunQuery):
    """Which runs."""

    job_id: UUID | None = Field(None, description="Of this job, even if it is deleted.")


class RunOut(BaseModel):
    """What became of one occurrence, or of one manual trigger."""

    id: UUID = Field(description="Also the idempotency key of its calls.")
    job_id: UUID
    job_name: str
    job_version: int
    scheduled_for: datetime
    trigger: Trigger
    state: State
    reason: str | None = Field(description="Why it was never called, or not to its end.")
    attempt: int = Field(description="Calls so far; 0 before the first.")
    started_at: datetime | None
    finished_at: datetime | None
    lag_ms: float | None = Field(description="From `scheduled_for` to `started_at`.")
    duration_ms: float | None = Field(description="From `started_at` to `finished_at`.")
    status_code: int | None = Field(description="Of the target's answer.")
    error: str | None
    response_excerpt: str | None = Field(description="2 KiB at most; of failures, and of a job's last success.")
    replica: UUID | None = Field(description="Who holds the run, or held it last.")

    @classmethod
    def of(cls, run: Run) -> Self:
        spans: dict[str, Any] = {
            "lag_ms": _milliseconds(run.scheduled_for, run.started_at),
            "duration_ms": _milliseconds(run.started_at, run.finished_at),
        }
        return cls(**spans, **{name: getattr(run, name) for name in cls.model_fields if name not in spans})


class RunPage(Page[RunOut]):
    """Newest first."""


def _milliseconds(start: datetime | None, end: datetime | None) -> float | None:
    return None if start is None or end is None else round((end - start).total_seconds() * 1000, 3)
