"""Events."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from app.api.schemas.fields import DIGITS, JobName
from app.domain.event import Event, EventFilter, EventKind, Reset
from app.domain.run import Trigger

EventId = Annotated[int, Field(ge=0, lt=2**63), DIGITS]


class EventQuery(BaseModel):
    """Which events, and from where on."""

    model_config = ConfigDict(extra="forbid")

    job: JobName | None = Field(None, description="Of the job that had this name then.")
    kind: list[EventKind] = Field([], description="Of one of these kinds; repeatable.")
    after: EventId | None = Field(
        None, description="For who can't send Last-Event-ID: events after this one, 0 for all that are kept."
    )

    def filters(self) -> EventFilter:
        return EventFilter(job=self.job, kinds=frozenset(self.kind))


class EventOut(BaseModel):
    """The `data` of an event. Of a job's events what is a run's is null, but for `reason`."""

    id: int = Field(description="Also the event's `id`. Ids rise, with gaps.")
    at: datetime = Field(description="When it was written, just before it was committed.")
    kind: EventKind
    job_id: UUID
    job_name: str
    job_version: int = Field(description="The version that the run was made under, or that the job has now.")
    run_id: UUID | None
    scheduled_for: datetime | None
    trigger: Trigger | None
    attempt: int | None = Field(description="Calls so far.")
    reason: str | None = Field(description="Of the run; of a job why its schedule can't be computed.")

    @classmethod
    def of(cls, event: Event) -> Self:
        return cls(**{name: getattr(event, name) for name in cls.model_fields})


class ResetOut(BaseModel):
    """The `data` of an event `reset`."""

    reason: Reset = Field(
        description="`aged`: what came after the id is not kept any more. `unknown`: the id was never given out here."
    )
    oldest: int = Field(description="The stream goes on from this id, that of the oldest event that is kept.")
