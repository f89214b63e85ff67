"""What a person says on doing something: the ledger keeps it."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from app.api.schemas.fields import Instant, Note

CANCEL_EXAMPLES: dict[str, Any] = {"a note": {"value": {"note": "the target is being moved"}}}
PAUSE_EXAMPLES: dict[str, Any] = {
    "a note": {"value": {"note": "the target is being moved"}},
    "an end": {"value": {"until": "2099-01-04T06:00:00Z"}},
}


class CancelIn(BaseModel):
    """Why a run is canceled, or a backfill."""

    model_config = ConfigDict(extra="forbid")

    note: Note | None = Field(default=None, description="Becomes part of the run's reason.")


class PauseIn(BaseModel):
    """Why a job is paused, and until when."""

    model_config = ConfigDict(extra="forbid")

    note: Note | None = Field(default=None, description="Stands on the job, and on the span of its pause.")
    until: Instant | None = Field(default=None, description="When it goes on by itself; an instant to come.")
