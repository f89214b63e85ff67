"""A job: what its owner wrote, and what the ledger keeps beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from app.domain.namespace import DEFAULT
from app.domain.policies import Policies
from app.domain.secret import HeaderValue


class DayRule(StrEnum):
    """How day of month and day of week combine where both are restricted: either, or both."""

    OR = "or"
    AND = "and"


class DstGap(StrEnum):
    """What a fixed schedule does with a local time that the clock jumps over."""

    AFTER = "after"
    SKIP = "skip"


class DstOverlap(StrEnum):
    """What a fixed schedule does with a local time that comes twice."""

    FIRST = "first"
    LAST = "last"
    BOTH = "both"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobDefinition:
    """What the owner of a job decides.

    `body` is any JSON value, or a string that is sent as it is; None sends the run's facts.
    """

    name: str
    schedule: str
    endpoint: str | None
    timezone: str = "UTC"
    day_rule: DayRule = DayRule.OR
    enabled: bool = True
    description: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    method: str = "POST"
    headers: Mapping[str, HeaderValue] = field(default_factory=dict)
    body: Any = None
    timeout_seconds: float = 30.0
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    dst_gap: DstGap = DstGap.AFTER
    dst_overlap: DstOverlap = DstOverlap.FIRST
    policies: Policies = field(default_factory=Policies)

    def is_same(self, other: JobDefinition) -> bool:
        """Whether the owner decided the same. In Python `true` equals 1, and is another body."""
        return self == other and json.dumps(self.body, sort_keys=True) == json.dumps(other.body, sort_keys=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class PersistedJob(JobDefinition):
    """A row of `cron_jobs`.

    `id` is the seed's integer key, `uid` what the API calls id. `anchor` is the phase of `@every`. `next_run` is None
    while nothing is due: disabled, stopped by the switch, `completed`, or `problem` says why it can't be scheduled.
    `runs_made` counts against `max_runs`, `failures_in_a_row` against `pause_after_failures`.
    """

    id: int
    uid: UUID
    version: int
    anchor: datetime
    next_run: datetime | None
    last_run: datetime | None
    last_success: datetime | None
    last_error: str | None
    problem: str | None
    completed: bool
    runs_made: int
    failures_in_a_row: int
    pause_note: str | None
    paused_until: datetime | None
    created_at: datetime
    updated_at: datetime
    namespace: str = DEFAULT

    def definition(self) -> JobDefinition:
        """What its owner decided, without what the ledger added."""
        return JobDefinition(**{each.name: getattr(self, each.name) for each in fields(JobDefinition)})
