"""What passes between a replica and the ledger on a run's way: candidate, queued, started, finished."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from uuid import UUID

from app.domain.entries import JobRow
from app.domain.misfire import Plan
from app.domain.policies import Policies
from app.domain.run import Call, Outcome, State, Trigger


@dataclass(frozen=True, slots=True)
class Candidate:
    """A job that a replica takes for due, and what it means to do about it."""

    job: JobRow
    plan: Plan


@dataclass(frozen=True, slots=True)
class Queued:
    """A pending run, which any replica may start; `host` is the host and port that it will call.

    `due_at` is None where it may start at once. `yields`: it is caught up or backfilled, and leaves room for what is
    due now.
    """

    run_id: UUID
    ledger_at: datetime
    host: str
    due_at: datetime | None = None
    yields: bool = False


@dataclass(frozen=True, slots=True)
class Opened:
    """Runs that were held up, and may find room now; `waited_for` says whether any are held up at all."""

    runs: list[Queued] = field(default_factory=list)
    waited_for: bool = False


Held = tuple[UUID, int]
"""A run's id and the fence of one of its starts: whoever started it holds it by that fence alone."""


@dataclass(frozen=True, slots=True)
class Started:
    """A run that this replica holds by `fence`; `started_at` is the database's time of this start.

    `policies` are the job's at that time, `failures` counts the answers of earlier attempts, `first_started_at` is when
    the first of them began, if there was one. `due_at` is since when this one might have begun.
    """

    call: Call
    ledger_at: datetime
    fence: int
    host: str
    started_at: datetime
    policies: Policies = field(default_factory=Policies)
    deadline_at: datetime | None = None
    failures: int = 0
    first_started_at: datetime | None = None
    due_at: datetime | None = None

    @property
    def held(self) -> Held:
        return self.call.run_id, self.fence


@dataclass(frozen=True, slots=True)
class Starts:
    """What became of pending runs: `begun` are this replica's now, the jobs of `busy` are locked by somebody else."""

    begun: list[Started] = field(default_factory=list)
    busy: list[Queued] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Finished:
    """A call that ended. `outcome` is None where it was cut off, and `note` says why."""

    started: Started
    outcome: Outcome | None
    began_at: datetime
    ended_at: datetime
    note: str = ""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the ledger made of finished calls.

    `states`: where each run stands that was still held, by its id; what is not here was discarded. `queued`: those that
    are pending again. `failing`: whether a job may have failed as often in a row as it is allowed to. `became`: where
    each run stands, and why it existed. `busy`: nothing was written of these, whose jobs somebody else has locked.
    `more`: the batch is not all that there is, or of some the jobs were locked.
    """

    states: dict[UUID, State] = field(default_factory=dict)
    queued: list[Queued] = field(default_factory=list)
    failing: bool = False
    became: list[tuple[State, Trigger]] = field(default_factory=list)
    busy: list[Finished] = field(default_factory=list)
    more: bool = False


@dataclass(frozen=True, slots=True)
class Paused:
    """Jobs that were paused, by id, and what is pending of them. `busy`: somebody else had locked one more."""

    jobs: list[int] = field(default_factory=list)
    queued: list[Queued] = field(default_factory=list)
    busy: bool = False


@dataclass(slots=True)
class Claims:
    """What the ledger said to each candidate.

    `won`: its runs are in the ledger by this transaction. `moved`: another replica was there first, and the job waits
    for the instant given. `early`: not due yet by the database's clock. `stale`: no longer as the candidate has it.
    `busy`: locked by somebody else just now; nothing was decided.
    """

    won: list[Candidate] = field(default_factory=list)
    moved: list[tuple[Candidate, datetime]] = field(default_factory=list)
    early: list[Candidate] = field(default_factory=list)
    stale: list[Candidate] = field(default_factory=list)
    busy: list[Candidate] = field(default_factory=list)
    started: list[Started] = field(default_factory=list)
    queued: list[Queued] = field(default_factory=list)


class Slots(Protocol):
    """Room for calls; `admit` takes a place or says no, `release` gives it back."""

    def admit(self, host: str) -> bool: ...

    @property
    def free(self) -> int:
        """Places that are left, whichever the host."""
        ...

    def release(self, host: str) -> None: ...
