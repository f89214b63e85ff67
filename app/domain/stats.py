"""What a ledger says of a stretch of time, in numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from app.domain.explanation import Finding
from app.domain.run import State


@dataclass(frozen=True, slots=True)
class Spread:
    """Of a set of times; None where it is empty. Each percentile is one of them, by nearest rank."""

    p50: timedelta | None = None
    p90: timedelta | None = None
    p99: timedelta | None = None
    longest: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcomes:
    """Of the runs that schedules made: how many are in which state, and how long they took."""

    states: Mapping[State, int] = field(default_factory=dict)
    lag: Spread = Spread()
    duration: Spread = Spread()


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Of one job, or of all. `absent` are the due instants that have no run, by what became of them."""

    due: int = 0
    outcomes: Outcomes = Outcomes()
    absent: Mapping[Finding, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFigures:
    """`name` is the last that a deleted job had."""

    job_id: UUID
    name: str
    figures: Figures


@dataclass(frozen=True, slots=True)
class Counted:
    """The stretch [since, until) of which it is known how often jobs were due."""

    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """Of [since, until), within what is counted; nothing is as long as nothing is."""

    since: datetime
    until: datetime
    counted: Counted | None
    total: Figures
    jobs: Sequence[JobFigures] = ()
