"""Both loops of a ticker over a store in memory."""

from __future__ import annotations

from datetime import datetime

from app.domain.clock import FakeClock
from app.domain.entries import EntryID, EntryMap, JobRow
from app.scheduler.claimer import Claimer
from app.scheduler.commits import Commits
from app.scheduler.dispatcher import Dispatcher
from app.scheduler.ledger_clock import LedgerClock
from app.scheduler.observer import NoObserver
from app.scheduler.recorder import Recorder
from app.scheduler.runner import Runner
from app.scheduler.slots import CallSlots
from app.scheduler.ticker import Ticker
from app.scheduler.turns import Turns
from tests.unit.scheduler.building import ME
from tests.unit.scheduler.fake_store import FakeStore
from tests.unit.scheduler.fake_target import FakeTarget

LOOPS = 2


class Rig:
    """Both loops of a ticker; the dispatcher's stands still, and what is queued stays in its queues."""

    def __init__(self, clock: FakeClock, store: FakeStore, target: FakeTarget) -> None:
        self.clock, self.store, self.target = clock, store, target
        self.entries = EntryMap()
        self.time = LedgerClock(clock, store)
        self.slots = CallSlots(100, 100, lambda: None)
        recorder = Recorder(store, lambda: ME, clock, NoObserver())
        runner = Runner(target, recorder, self.slots, self.time, clock, lambda _: True)
        self.doubts = 0
        commits = Commits(self.in_doubt)
        self.dispatcher = Dispatcher(store, lambda: ME, lambda: True, self.slots, runner, commits, self.time, clock)
        self.reread: list[int] = []
        self.allowed = True
        self.observer = NoObserver()
        claimer = Claimer(
            self.entries,
            store,
            store,
            lambda: ME,
            self.slots,
            runner,
            self.dispatcher,
            commits,
            self.observer,
            self.time,
            self.reread.extend,
        )
        self.turns = Turns(self.entries, store, lambda: ME, 1)
        self.ticker = Ticker(self.entries, claimer, self.turns, self.time, lambda: self.allowed, clock)

    def in_doubt(self) -> None:
        self.doubts += 1

    def put(self, row: JobRow) -> None:
        self.store.jobs[row.id] = row
        self.entries.put(row)

    async def start(self) -> None:
        await self.time.look()
        self.ticker.loop.start()
        self.ticker.late_loop.start()
        await self.clock.block_until(LOOPS)

    async def stop(self) -> None:
        await self.ticker.loop.stop()
        await self.ticker.late_loop.stop()

    def called(self) -> list[tuple[int, datetime]]:
        return [(call.run_id.int, call.scheduled_for) for call in self.target.calls]

    def called_at(self) -> list[datetime]:
        return sorted(call.scheduled_for for call in self.target.calls)

    def next_of(self, job_id: int) -> datetime | None:
        entry = self.entries.get(self.entries.id_of(f"job-{job_id}") or EntryID(0))
        return entry.next if entry else None
