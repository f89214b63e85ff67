"""What became of instants."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import BaseModel, Field

from app.api.schemas.asked import At
from app.api.schemas.fields import DIGITS
from app.api.schemas.page import Page, PageQuery
from app.api.schemas.run import RunOut
from app.api.schemas.span import SpanOut
from app.domain.explanation import Explanation, Finding


class JobExplainQuery(PageQuery):
    """Which instants of one job."""

    limit: Annotated[int, Field(ge=1, le=500), DIGITS] = Field(
        100, description="How many instants the page has at most."
    )
    at: At = Field(
        description="An instant (RFC 3339 with its offset), or two with `/` between: all due instants from the first "
        "on and before the second, within 366 days."
    )


class ExplainQuery(JobExplainQuery):
    """Which instants of a job that may be deleted."""

    job_id: UUID = Field(description="Of this job, even if it is deleted.")


class ExplanationOut(BaseModel):
    """What became of one instant, and why."""

    at: datetime
    local: datetime = Field(description="The instant by the clock of the job's zone then.")
    verdict: Finding = Field(description="What became of it, in one word.")
    sentence: str = Field(description="What became of it and why, in plain English; its wording may change.")
    run: RunOut | None = Field(description="The run that the job's schedule made for the instant.")
    span: SpanOut | None = Field(description="The span that the instant lies in.")
    version: int | None = Field(description="The version of the job that was in force, if there was one.")
    by_hand: list[UUID] = Field(description="Runs that people made for the instant, which the sentence names.")

    @classmethod
    def of(cls, told: Explanation) -> Self:
        values: dict[str, Any] = {name: getattr(told, name) for name in ("at", "local", "sentence", "version")}
        return cls(
            **values,
            verdict=told.finding,
            run=None if told.run is None else RunOut.of(told.run),
            span=None if told.span is None else SpanOut.of(told.span),
            by_hand=[run.id for run in told.by_hand],
        )


class ExplanationPage(Page[ExplanationOut]):
    """Oldest first."""
