"""What is due ahead."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field

from app.api.schemas.fields import DIGITS
from app.domain.forecast import Forecast


class ForecastQuery(BaseModel):
    """How far to look."""

    model_config = ConfigDict(extra="forbid")

    hours: Annotated[int, Field(ge=1, le=168), DIGITS] = Field(24, description="How many hours ahead, from now.")


class MinuteOut(BaseModel):
    """A minute in which something is due."""

    at: datetime = Field(description="When the minute begins.")
    count: int


class JobCount(BaseModel):
    """How often a job is due in the minute."""

    name: str
    count: int


class BusyMinuteOut(MinuteOut):
    """A busy minute."""

    jobs: list[JobCount] = Field(description="The jobs that make it so, at most ten; those most often due come first.")


class ForecastOut(BaseModel):
    """Due instants, as they will run: what is excluded is not among them."""

    from_: datetime = Field(serialization_alias="from", description="Now.")
    until: datetime = Field(description="What is due at this instant is not in it.")
    complete: bool = Field(description="False where so much was to compute that `until` is nearer than asked for.")
    total: int
    per_minute: list[MinuteOut] = Field(description="In order; minutes in which nothing is due are left out.")
    busiest: list[BusyMinuteOut] = Field(description="At most ten, busiest first; of equals the earlier.")

    @classmethod
    def of(cls, made: Forecast) -> Self:
        return cls(
            from_=made.start,
            until=made.until,
            complete=made.complete,
            total=made.total,
            per_minute=[MinuteOut(at=at, count=count) for at, count in made.minutes],
            busiest=[
                BusyMinuteOut(
                    at=each.at, count=each.count, jobs=[JobCount(name=name, count=count) for name, count in each.jobs]
                )
                for each in made.busiest
            ],
        )
