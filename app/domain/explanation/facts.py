"""What an explanation is made from, and what it says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from uuid import UUID

from app.domain.history import History, Version
from app.domain.policies import Policies
from app.domain.presence import Outage, outage_in
from app.domain.run import Run, Trigger
from app.domain.span import Span
from app.domain.timing import jitter


class Finding(StrEnum):
    """What became of an instant, in one word."""

    ON_TIME = "on_time"
    LATE = "late"
    CAUGHT_UP = "caught_up"
    FAILED = "failed"
    LOST = "lost"
    CANCELED = "canceled"
    SKIPPED = "skipped"
    MISSED = "missed"
    PENDING = "pending"
    RUNNING = "running"
    WAITING = "waiting"
    PAUSED = "paused"
    STOPPED = "stopped"
    UNSCHEDULABLE = "unschedulable"
    TO_COME = "to_come"
    UNCLAIMED = "unclaimed"
    NOT_DUE = "not_due"
    NOT_CREATED = "not_created"
    ENDED = "ended"
    DELETED = "deleted"
    FORGOTTEN = "forgotten"
    UNACCOUNTED = "unaccounted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How the job stands now, by its row: the same for all instants.

    Runs from `kept_since` on are kept, but for those before `pruned_until` that have gone; by `keep_runs` if that is
    not None. `stopped` is its open span: what is to come stands there unless it ends before.
    """

    now: datetime
    kept_since: datetime
    pruned_until: datetime | None = None
    keep_runs: int | None = None
    history: History
    next_run: datetime | None = None
    completed: bool = False
    runs_made: int = 0
    paused_until: datetime | None = None
    problem: str | None = None
    stopped: Span | None = None
    outages: tuple[Outage, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Of one instant.

    `run` is what its schedule made for it, `by_hand` what people did, `ahead` the run of the job that was active while
    this one was due, `named` the runs that reasons name. `excluded` says what leaves it out by the calendars of today,
    `exhausted` that the job had made all its runs.
    """

    at: datetime
    job_id: UUID
    standing: Standing
    version: Version | None
    run: Run | None = None
    span: Span | None = None
    by_hand: tuple[Run, ...] = ()
    ahead: Run | None = None
    named: Mapping[UUID, Run] = field(default_factory=lambda: MappingProxyType({}))
    excluded: str | None = None
    exhausted: bool = False

    @property
    def policies(self) -> Policies:
        return Policies() if self.version is None else self.version.job.policies

    @property
    def jitter(self) -> timedelta:
        """What the job's jitter adds to the instant; what is caught up is late enough."""
        if self.run is not None and self.run.trigger is not Trigger.SCHEDULE:
            return timedelta(0)
        return jitter(self.job_id, self.at, timedelta(seconds=self.policies.jitter_seconds))

    @property
    def due(self) -> datetime:
        return self.at + self.jitter

    def outage(self, start: datetime, end: datetime) -> Outage | None:
        """The longest time between the two for which nobody was alive."""
        return outage_in(self.standing.outages, start, end)


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """`local` is the instant by the job's clock, `version` the number of the version that was in force, if any was."""

    at: datetime
    local: datetime
    finding: Finding
    sentence: str
    run: Run | None = None
    span: Span | None = None
    version: int | None = None
    by_hand: tuple[Run, ...] = ()
