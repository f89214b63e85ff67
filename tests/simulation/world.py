"""The world: one database, three replicas, time, people, and what is known of them. One seed, one course of events."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Callable, MutableMapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from random import Random
from typing import Any
from unittest.mock import patch
from uuid import UUID

from structlog.testing import capture_logs

from app.domain.claim import Finished, Started
from app.domain.clock import FakeClock
from app.domain.job import PersistedJob
from tests.db.building import Ledger, opened
from tests.simulation import calls, fates, histories
from tests.simulation.accounts import Accounts
from tests.simulation.fates import Fate
from tests.simulation.journal import Change, Journal
from tests.simulation.mirror import Mirror, Violation
from tests.simulation.replica import SimReplica
from tests.simulation.rules import Rules

MONTH = timedelta(days=30)
STEPS_A_MONTH = 50_000
CLOCK_CHANGES = (datetime(2027, 3, 28, 1, tzinfo=UTC), datetime(2027, 10, 31, 1, tzinfo=UTC))
"""Of Europe/Berlin: one of them lies in the middle of the time that is simulated."""

_REMEMBERED = 40


@dataclass(frozen=True, slots=True)
class Happened:
    """A step that was taken, and what the journal says of it."""

    number: int
    at: datetime
    who: str
    name: str
    note: str
    changes: Sequence[Change]

    def __str__(self) -> str:
        moves = ", ".join(filter(None, map(_move, self.changes)))
        return f"{self.number:6} {self.at:%m-%d %H:%M:%S.%f} {self.who}: {self.name} {self.note} {moves}".rstrip()


def _move(change: Change) -> str:
    """What of a run is worth telling, if anything is."""
    was = (change.old_state or "born", change.old_waiting_for)
    if was == (change.state, change.waiting_for):
        return ""
    before, after = (" for ".join(filter(None, each)) for each in (was, (change.state, change.waiting_for)))
    return f"{change.run_id}: {before} -> {after}"


@dataclass(frozen=True, slots=True)
class Callback:
    """A target will call back, `at` monotonic seconds: maybe before its answer is recorded, maybe too late."""

    at: float
    started: Started


@dataclass
class World:
    """`calm` is the end: all is well with the replicas and the targets, and people leave the jobs alone.

    `steady` is a clock that never goes back. `moved` is the last step in which a run began or ended.
    """

    ledger: Ledger
    clock: FakeClock
    rng: Random
    duration: timedelta
    steps: int
    logs: list[MutableMapping[str, Any]]
    steady: bool = False
    number: int = 0
    advances: int = 0
    created: int = 0
    moved: int = 0
    calm: bool = False
    stopped: bool = False
    jobs: dict[str, PersistedJob] = field(default_factory=dict)
    hot: deque[str] = field(default_factory=lambda: deque(maxlen=3))
    mirror: Mirror = field(default_factory=Mirror)
    recent: deque[Happened] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))
    sent: list[Finished] = field(default_factory=list)
    callbacks: list[Callback] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.begin = self.clock.now()
        self.end = self.begin + self.duration
        self.replicas = [SimReplica(self, number) for number in (1, 2, 3)]
        self.rules = Rules(self.mirror)
        self.accounts = Accounts(self.ledger.database, self.mirror, self.begin, self.end + timedelta(days=20))
        self.touched: set[UUID] = set()
        self._journal = Journal(self.ledger.database)
        self._begun: list[tuple[UUID, Started]] = []
        self._digest = blake2b(digest_size=8)

    @property
    def digest(self) -> str:
        """The same for the same course of events."""
        return self._digest.hexdigest()

    def new_id(self) -> UUID:
        return UUID(int=self.rng.getrandbits(128), version=4)

    def fate(self) -> Fate:
        return Fate.FINE if self.calm else fates.draw(self.rng)

    def begin_call(self, replica: SimReplica, started: Started) -> calls.SimCall:
        self._begun.append((replica.me, started))
        call = calls.begin(self.rng, started, replica.now(), self.clock.monotonic(), healthy=self.calm)
        if call.outcome.accepted:
            self.callbacks.append(Callback(call.ends + self.rng.uniform(-20, 200), started))
        return call

    async def prepare(self) -> None:
        await self._journal.install()

    async def settle(self, name: str, actor: SimReplica | None, writer: UUID | None, note: str) -> None:
        """After each step: see what it did, and whether that may be. `writer` is who the actor was when it began."""
        changes = await self._journal.news()
        self._remember(Happened(self.number, self.clock.now(), actor.name if actor else "world", name, note, changes))
        for change in changes:
            histories.check(change, self.mirror, name, writer)
            self.mirror.apply(change)
            self.moved = self.number if change.state != change.old_state else self.moved
        self.rules.check(changes, self.sent, self.clock.now())
        for replica, started in self._begun:
            self.rules.call(replica, started)
        if loud := [entry for entry in self.logs if entry["log_level"] in {"error", "critical"}]:
            raise Violation(f"logged as an error: {loud}")
        if self.touched:
            await self.accounts.check(self.touched)
        self._forget()

    async def check_everything(self) -> None:
        await self.accounts.check()
        await self.accounts.check_mirror()

    def _remember(self, happened: Happened) -> None:
        self.recent.append(happened)
        self._digest.update(str(happened).encode())

    def _forget(self) -> None:
        self._begun, self.sent = [], []
        self.touched.clear()
        self.logs.clear()


async def _at_once(_: object, function: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """One thread is all there is: no statement is handed to another, which takes longer than SQLite itself."""
    return function(*args, **options)


@asynccontextmanager
async def simulated(url: str, seed: int, steps: int, *, steady: bool = False) -> AsyncIterator[World]:
    """A world that is about to begin. Whatever the services draw at random comes from the seed as well."""
    rng = Random(seed)  # noqa: S311  # to be foreseen is what it is for
    duration = MONTH * steps / STEPS_A_MONTH
    begin = rng.choice(CLOCK_CHANGES) - duration / 2 + timedelta(microseconds=rng.randrange(1_000_000))
    clock = FakeClock(begin)
    with (
        capture_logs() as logs,
        patch("app.service.jobs.uuid7", lambda: UUID(int=rng.getrandbits(128))),
        patch("app.service.runs.token_bytes", rng.randbytes),
        patch("app.db.calls.new_token", lambda: rng.randbytes(8).hex()),
        patch("aiosqlite.core.Connection._execute", _at_once),
    ):
        async with opened(url, clock) as ledger:
            world = World(ledger, clock, rng, duration, steps, logs, steady)
            await world.prepare()
            yield world
