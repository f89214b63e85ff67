"""What the checker works with: what was asked for, what the ledger says, and which calls came."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Job:
    """Due every so many seconds of the clock, from `first` on. One that `may_fail` calls a target that misbehaves."""

    uid: UUID
    name: str
    every: int
    first: datetime
    at_most_once: bool = False
    may_fail: bool = False


@dataclass(frozen=True, slots=True)
class Run:
    id: UUID
    job: UUID
    scheduled_for: datetime
    trigger: str
    state: str
    reason: str | None
    attempt: int
    fence: int
    takeovers: int
    owner: UUID | None


@dataclass(frozen=True, slots=True)
class Attempt:
    run: UUID
    fence: int
    attempt: int
    outcome: str
    discarded: bool


@dataclass(frozen=True, slots=True)
class Span:
    """Covers (after, until]."""

    job: UUID
    after: datetime
    until: datetime | None
    reason: str
    count: int | None


@dataclass(frozen=True, slots=True)
class Call:
    """As the sink saw it; `at` is in seconds since the epoch, by the machine's clock."""

    at: float
    key: UUID
    attempt: int
    scheduled_for: datetime
    trigger: str


@dataclass(frozen=True, slots=True)
class Offsets:
    """How far the database's clock is ahead of the machine's: from each moment on, so many seconds."""

    steps: Sequence[tuple[float, float]] = ((0.0, 0.0),)

    def database_time(self, at: float) -> float:
        return at + next(offset for since, offset in reversed(self.steps) if since <= at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Every instant up to `end`, by the database's clock, is to be accounted for.

    `waiting` are the jobs that still have one before them.
    """

    end: datetime
    jobs: Sequence[Job]
    runs: Sequence[Run]
    attempts: Sequence[Attempt]
    spans: Sequence[Span]
    calls: Sequence[Call]
    waiting: Sequence[str] = ()
    offsets: Offsets = field(default_factory=Offsets)
