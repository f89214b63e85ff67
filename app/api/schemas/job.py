"""A job on its way out, and the questions that find it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import AfterValidator, BaseModel, Field

from app.api.schemas.fields import LabelText, QueryFlag, QueryText, SecretRef
from app.api.schemas.page import Page, PageQuery
from app.api.schemas.policies import PolicyFields, policy_values
from app.api.schemas.text import fault
from app.db.jobs import JobFilter
from app.domain.job import DayRule, DstGap, DstOverlap, PersistedJob
from app.domain.masking import masked_headers
from app.service.preview import LocalTime


class _Written(BaseModel):
    id: UUID
    name: str
    schedule: str
    endpoint: str | None = Field(description="Null in an adopted row that has none.")
    timezone: str
    day_rule: DayRule
    enabled: bool
    description: str
    labels: dict[str, str]
    method: str
    headers: dict[str, str | SecretRef] = Field(description="`***` stands for what may not be read.")
    body: Any
    timeout_seconds: float
    starts_at: datetime | None
    ends_at: datetime | None
    dst_gap: DstGap
    dst_overlap: DstOverlap


class JobOut(PolicyFields, _Written):
    """A job as it is stored."""

    version: int = Field(description="Raised by each change of the job, and by no run.")
    problem: str | None = Field(description="Why the job can't be scheduled, if so.")
    completed: bool = Field(description="Whether it has run its course, and fires no more.")
    runs_made: int = Field(description="Runs that its schedule made; they count against `max_runs`.")
    failures_in_a_row: int = Field(description="They count against `pause_after_failures`; a success sets them to 0.")
    pause_note: str | None = Field(description="Why it is paused: what was said, or how many runs had failed.")
    paused_until: datetime | None = Field(description="When a paused job goes on by itself.")
    next_run: datetime | None = Field(description="Null while nothing is due.")
    last_run: datetime | None = Field(description="Start of the last run.")
    last_success: datetime | None = Field(description="End of the last success.")
    last_error: str | None = Field(description="Null after a success.")
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, job: PersistedJob) -> Self:
        values = policy_values(job)
        values |= {name: getattr(job, name) for name in cls.model_fields if name != "id" and name not in values}
        values["headers"] = masked_headers(job.headers)
        return cls(id=job.uid, **values)


class JobPage(Page[JobOut]):
    """By name."""


def _one_value_each(labels: list[str]) -> list[str]:
    if len({each.split(":", 1)[0] for each in set(labels)}) < len(set(labels)):
        raise fault("label", "Asks for two values of one key", "No job has both; ask for one of them.")
    return labels


class JobQuery(PageQuery):
    """Which jobs."""

    enabled: QueryFlag | None = None
    completed: QueryFlag | None = Field(None, description="Jobs that have run their course, or those that haven't.")
    label: Annotated[list[LabelText], AfterValidator(_one_value_each)] = Field(
        [], description="`key:value`; where it is repeated, all must match."
    )
    q: QueryText | None = Field(None, description="Looked for in the name, in any case.")

    def filter(self) -> JobFilter:
        labels = dict(each.split(":", 1) for each in self.label)
        return JobFilter(enabled=self.enabled, completed=self.completed, labels=labels, text=self.q)


class NextTime(BaseModel):
    """An instant, in UTC and by the clock of the schedule's zone."""

    at: datetime
    local: str = Field(description="ISO 8601, with the zone's offset.")
    excluded: str | None = Field(description="What excludes it, if anything: it is skipped then.")

    @classmethod
    def of(cls, time: LocalTime) -> Self:
        return cls(at=time.at, local=time.local, excluded=time.excluded)


class RehearsedJob(JobOut):
    """A job as it would be: its id is another one when it is made."""

    next_times: list[NextTime] = Field(description="The first five, soonest first.")

    @classmethod
    def of_next(cls, job: PersistedJob, times: Iterable[NextTime]) -> Self:
        return cls(**dict(JobOut.of(job)), next_times=list(times))


class NextTimes(BaseModel):
    """Soonest first."""

    items: list[NextTime]
