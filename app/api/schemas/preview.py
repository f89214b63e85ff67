"""A schedule to look at before any job has it."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from app.api.schemas.exclude import Exclude
from app.api.schemas.fields import WHOLE, Instant, JobName, ScheduleText, Timezone
from app.api.schemas.job import NextTime
from app.domain.job import DayRule, DstGap, DstOverlap

EXAMPLE: dict[str, Any] = {
    "schedule": "30 2 * * *",
    "timezone": "Europe/Berlin",
    "from": "2027-03-27T00:00:00Z",
    "count": 3,
}


class PreviewIn(BaseModel):
    """What a job would say of its schedule, and two rules for the changes of the clock."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [EXAMPLE]})

    schedule: ScheduleText
    timezone: Timezone | None = Field(None, description="UTC unless this or a prefix `TZ=` says otherwise.")
    day_rule: DayRule = DayRule.OR
    dst_gap: DstGap = Field(DstGap.AFTER, description="Whether a time that the clock jumps over runs at the gap's end.")
    dst_overlap: DstOverlap = Field(DstOverlap.FIRST, description="When a time runs that comes twice.")
    name: JobName | None = Field(None, description="Name of the job, which `H` hashes.")
    starts_at: Instant | None = Field(None, description="Nothing is due before; also the phase of `@every`.")
    from_: Instant | None = Field(None, alias="from", description="The first instant that counts; now if left out.")
    exclude: Exclude = Field([], description="What the job would leave out, which is marked.")
    count: Annotated[int, Field(ge=1, le=1000, strict=True), WHOLE] = 10


class PreviewOut(BaseModel):
    """The schedule in words and in times."""

    description: str
    occurrences: list[NextTime]
    warnings: list[str] = Field(description="What may surprise.")
