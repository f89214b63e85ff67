"""Backfills: past occurrences that are to run after all."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from app.api.schemas.fields import NO_NUL, WHOLE, Instant
from app.api.schemas.page import Page, PageQuery
from app.domain.backfill import Backfill, BackfillRequest, BackfillState, Progress
from app.domain.run import State

EXAMPLE: dict[str, Any] = {
    "since": "2026-01-01T00:00:00Z",
    "until": "2026-07-01T00:00:00Z",
    "max": 365,
    "concurrency": 5,
    "only_missing": True,
}


class BackfillIn(BaseModel):
    """The occurrences after `since`, up to and including `until`, oldest first."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [EXAMPLE]})

    since: Instant = Field(description="What was due at this instant itself is not run.")
    until: Instant = Field(description="Is past; what was due at this instant is run.")
    max: Annotated[int, Field(ge=1, le=1000, strict=True), WHOLE] = Field(
        100, description="So many runs are made at most; `next_since` leads to the rest."
    )
    concurrency: Annotated[int, Field(ge=1, le=100, strict=True), WHOLE] = Field(
        1, description="So many of the runs go on at a time, over all replicas."
    )
    only_missing: Annotated[bool, Field(strict=True)] = Field(
        default=True, description="Leave out occurrences of which a run succeeded or is under way."
    )

    def request(self) -> BackfillRequest:
        return BackfillRequest(**self.model_dump())


class BackfillQuery(PageQuery):
    """Which backfills."""

    job: Annotated[str, Field(min_length=1, max_length=255, pattern=NO_NUL)] | None = Field(
        None, description="Of the job of this name, even if it is deleted."
    )


class Counts(BaseModel):
    """How many of the runs are in each state."""

    pending: int = Field(description="Those between two attempts too.")
    running: int
    waiting: int = Field(description="For their callback.")
    succeeded: int
    failed: int
    canceled: int
    lost: int

    @classmethod
    def of(cls, progress: Progress) -> Self:
        return cls(**{name: progress.counts.get(State(name), 0) for name in cls.model_fields})


class BackfillOut(BaseModel):
    """What was asked for, and how far it is."""

    id: UUID
    job_id: UUID
    job_name: str
    job_version: int = Field(description="The version whose schedule said what was due.")
    since: datetime
    until: datetime
    max: int
    concurrency: int
    only_missing: bool
    state: BackfillState
    total: int = Field(description="Runs that were made.")
    counts: Counts
    left_out: int = Field(
        description="Occurrences up to `until` that were not looked at, as the schedule counts them: excluded ones, "
        "and those that need no run, are among them."
    )
    next_since: datetime | None = Field(
        description="The `since` of the backfill that goes on; null where nothing was left out."
    )
    created_at: datetime
    canceled_at: datetime | None
    finished_at: datetime | None = Field(description="When the last of its runs ended.")

    @classmethod
    def of(cls, backfill: Backfill, progress: Progress) -> Self:
        computed: dict[str, Any] = {
            "state": progress.state(backfill),
            "counts": Counts.of(progress),
            "finished_at": progress.finished_at(backfill),
        }
        return cls(**computed, **{name: getattr(backfill, name) for name in cls.model_fields if name not in computed})


class BackfillPage(Page[BackfillOut]):
    """Newest first."""
