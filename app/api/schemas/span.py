"""Spans: stretches of occurrences that have no rows of their own."""

from __future__ import annotations

from datetime import datetime
from typing import Self
from uuid import UUID

from pydantic import BaseModel, Field

from app.api.schemas.page import Page
from app.domain.span import Span


class SpanOut(BaseModel):
    """A stretch of occurrences that share one fate: those after `from`, up to and including `until`."""

    job_id: UUID
    version: int
    from_: datetime = Field(serialization_alias="from")
    until: datetime | None = Field(description="Null while it goes on.")
    count: int | None = Field(description="How many occurrences; null while it goes on, or where nobody can say.")
    reason: str
    note: str | None = Field(description="What was said on pausing, or how many runs had failed.")

    paused_until: datetime | None = Field(description="When the pause was to end; it may have ended before.")

    @classmethod
    def of(cls, span: Span) -> Self:
        return cls(
            job_id=span.job_id,
            version=span.version,
            from_=span.after,
            until=span.until,
            count=span.count,
            reason=span.reason,
            note=span.note,
            paused_until=span.paused_until,
        )


class SpanPage(Page[SpanOut]):
    """Newest first."""
