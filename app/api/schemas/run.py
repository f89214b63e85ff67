"""Runs: what became of occurrences."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Self
from uuid import UUID

from pydantic import BaseModel, Field

from app.api.schemas.fields import Instant
from app.api.schemas.page import Page, PageQuery
from app.domain.gates import told_gate
from app.domain.run import Run, State, Trigger


class JobRunQuery(PageQuery):
    """Which runs of one job."""

    state: State | None = None
    trigger: Trigger | None = None
    backfill_id: UUID | None = Field(None, description="Made by this backfill.")
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
    due_at: datetime = Field(
        description="When the next attempt may start, or the last was due; while it waits for its callback, "
        "when it is given up."
    )
    deadline_at: datetime | None = Field(description="When the run fails if it has not ended, with all its attempts.")
    waiting_for: str | None = Field(description="What keeps a run that is due from its start.")
    delayed_by: str | None = Field(
        description="What last kept it from its first call: a gate as in `waiting_for`, a host or replica without room."
    )
    retry_of: UUID | None = Field(description="The run that a person had repeated by this one.")
    backfill_id: UUID | None = Field(description="The backfill that made this run.")
    cancel_requested: bool = Field(description="Whether a cancel was asked for while it was called.")
    attempt: int = Field(description="Calls so far; 0 before the first.")
    takeovers: int = Field(description="How many replicas died on it.")
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
        computed: dict[str, Any] = {
            "cancel_requested": run.cancel_reason is not None,
            "lag_ms": _milliseconds(run.scheduled_for, run.started_at),
            "waiting_for": run.waiting_for and told_gate(run.waiting_for),
            "delayed_by": run.delayed_by and told_gate(run.delayed_by),
            "duration_ms": _milliseconds(run.started_at, run.finished_at),
        }
        return cls(**computed, **{name: getattr(run, name) for name in cls.model_fields if name not in computed})


class RunPage(Page[RunOut]):
    """Newest first."""


def _milliseconds(start: datetime | None, end: datetime | None) -> float | None:
    return None if start is None or end is None else round((end - start).total_seconds() * 1000, 3)
