"""A dispatcher with all that it works with."""

from __future__ import annotations

from app.domain.claim import Recorded
from app.domain.clock import FakeClock
from app.scheduler.commits import Commits
from app.scheduler.dispatcher import LINGER, Dispatcher
from app.scheduler.ledger_clock import LedgerClock
from app.scheduler.observer import NoObserver
from app.scheduler.recorder import Recorder
from app.scheduler.runner import Runner
from app.scheduler.slots import CallSlots
from tests.unit.scheduler.building import ME, pass_time, queued, turns
from tests.unit.scheduler.fake_store import FakeStore
from tests.unit.scheduler.fake_target import FakeTarget

ALONE = 1


class Rig:
    """A dispatcher with room for four calls, two of them to one host."""

    def __init__(self, clock: FakeClock, store: FakeStore, target: FakeTarget) -> None:
        self.clock, self.store, self.target = clock, store, target
        self.time = LedgerClock(clock, store)
        self.slots = CallSlots(4, 2, self.place_freed)
        recorder = Recorder(store, lambda: ME, clock, NoObserver())
        self.runner = Runner(target, recorder, self.slots, self.time, clock, lambda _: True)
        self.allowed = True
        self.doubts = 0
        self.timed_out: list[Recorded] = []
        commits = Commits(self.in_doubt)
        self.dispatcher = Dispatcher(
            store,
            lambda: ME,
            lambda: self.allowed,
            self.slots,
            self.runner,
            commits,
            self.time,
            clock,
            self.timed_out.append,
        )

    def in_doubt(self) -> None:
        self.doubts += 1

    def place_freed(self) -> None:
        self.dispatcher.places_freed()

    async def start(self) -> None:
        await self.time.look()
        self.dispatcher.loop.start()
        await self.clock.block_until(ALONE)

    def enqueue(self, *runs: tuple[int, str]) -> None:
        """Runs that are pending in the store, and known here."""
        some = [queued(number, host) for number, host in runs]
        self.store.pending_runs += some
        self.dispatcher.enqueue(some)

    async def settled(self) -> None:
        """Until what was freed by calls that end has been filled again."""
        await turns()
        await pass_time(self.clock, 2 * LINGER, ALONE, step=LINGER)

    def called(self) -> list[int]:
        return [call.run_id.int for call in self.target.calls]
