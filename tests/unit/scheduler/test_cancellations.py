from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import UUID

import pytest

from app.domain.clock import FakeClock
from app.scheduler.cancellations import CANCELED, Cancellations
from app.scheduler.ledger_clock import LedgerClock
from app.scheduler.observer import NoObserver
from app.scheduler.recorder import Recorder
from app.scheduler.runner import Runner
from app.scheduler.slots import CallSlots
from tests.unit.scheduler.building import ME, NOON, pass_time, turns
from tests.unit.scheduler.fake_store import FakeStore, away, started
from tests.unit.scheduler.fake_target import FakeTarget

RUN, OTHER_RUN = UUID(int=1), UUID(int=2)


class Rig:
    def __init__(self, clock: FakeClock, store: FakeStore, target: FakeTarget) -> None:
        self.clock, self.store, self.target = clock, store, target
        target.holding = True
        self.recorder = Recorder(store, lambda: ME, clock, NoObserver())
        self.time = LedgerClock(clock, store)
        slots = CallSlots(10, 10, lambda: None)
        self.runner = Runner(target, self.recorder, slots, self.time, clock, lambda _: True)
        self.cancellations = Cancellations(store, lambda: ME, self.runner, clock)

    async def call(self, *runs: UUID) -> None:
        await self.time.look()
        self.runner.launch(ME, [started(run, NOON) for run in runs])
        await self.target.wait_for(len(runs))

    async def start(self) -> None:
        self.cancellations.loop.start()
        await self.clock.block_until(1)

    def cut(self) -> list[UUID]:
        return [call.run_id for call in self.target.cut]


@pytest.fixture
async def rig(clock: FakeClock, store: FakeStore, target: FakeTarget) -> AsyncIterator[Rig]:
    made = Rig(clock, store, target)
    yield made
    await made.cancellations.loop.stop()
    target.release()
    await made.runner.drain(1)


async def test_a_call_is_cut_within_a_second(rig: Rig) -> None:
    await rig.call(RUN, OTHER_RUN)
    await rig.start()
    rig.store.cancels = {(RUN, 1)}
    await pass_time(rig.clock, 1, 1)
    await turns()
    assert rig.cut() == [RUN]
    [finished] = rig.recorder._waiting
    assert (finished.started.call.run_id, finished.outcome, finished.note) == (RUN, None, CANCELED)


async def test_a_call_is_cut_at_once_where_the_cancel_was_asked(rig: Rig) -> None:
    await rig.call(RUN)
    await rig.start()
    rig.store.cancels = {(RUN, 1)}
    rig.cancellations.look_now()
    await turns()
    assert rig.cut() == [RUN]


async def test_another_start_of_the_run_is_not_ours_to_cut(rig: Rig) -> None:
    await rig.call(RUN)
    await rig.start()
    rig.store.cancels = {(RUN, 2), (OTHER_RUN, 1)}
    await pass_time(rig.clock, 3, 1)
    assert rig.cut() == []


async def test_nobody_is_asked_while_nothing_is_called(rig: Rig) -> None:
    await rig.start()
    await pass_time(rig.clock, 5, 1)
    assert rig.store.calls.count("asked") == 0


async def test_a_ledger_that_was_away_is_asked_again(rig: Rig) -> None:
    await rig.call(RUN)
    rig.store.cancels = {(RUN, 1)}
    rig.store.before["asked"] = [away()]
    await rig.start()
    assert rig.cut() == []
    await pass_time(rig.clock, 1, 1)
    await turns()
    assert rig.cut() == [RUN]
