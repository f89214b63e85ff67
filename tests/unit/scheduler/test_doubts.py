from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import pytest

from app.domain.clock import FakeClock
from app.scheduler.doubts import LOOK_EVERY, Doubts
from app.scheduler.ledger_clock import LedgerClock
from app.scheduler.observer import NoObserver
from app.scheduler.recorder import Recorder
from app.scheduler.runner import TAKEN, Runner
from app.scheduler.slots import CallSlots
from tests.unit.scheduler.building import ME, NOON, ONE, OTHER, SECOND, finished, pass_time, turns
from tests.unit.scheduler.fake_store import FakeStore, away, started
from tests.unit.scheduler.fake_target import FakeTarget

ALONE = 1
FIRST, SECOND_RUN = UUID(int=1), UUID(int=2)


class Rig:
    def __init__(self, clock: FakeClock, store: FakeStore, target: FakeTarget) -> None:
        self.clock, self.store, self.target = clock, store, target
        self.time = LedgerClock(clock, store)
        self.slots = CallSlots(10, 10, lambda: None)
        self.recorder = Recorder(store, lambda: ME, clock, NoObserver())
        self.runner = Runner(target, self.recorder, self.slots, self.time, clock, lambda _: True)
        self.doubts = Doubts(store, lambda: ME, self.runner, self.recorder, clock)

    def call(self, run_id: UUID, fence: int = 1) -> None:
        assert self.slots.admit(ONE)
        self.runner.launch(ME, [started(run_id, NOON, fence=fence)])

    async def look(self) -> None:
        """The next look, as soon as it is due."""
        await pass_time(self.clock, LOOK_EVERY, ALONE)


@pytest.fixture
async def rig(clock: FakeClock, store: FakeStore, target: FakeTarget) -> AsyncIterator[Rig]:
    target.holding = True
    made = Rig(clock, store, target)
    await made.time.look()
    made.doubts.loop.start()
    await clock.block_until(ALONE)
    yield made
    for event in store.held.values():
        event.set()
    target.release()
    await made.doubts.loop.stop()


async def test_a_run_that_was_started_and_never_called_goes_back_after_two_looks(rig: Rig) -> None:
    rig.store.owners = {FIRST: (ME, 4)}
    await rig.look()
    assert rig.store.returned == []
    await rig.look()
    assert rig.store.returned == [{FIRST: 4}]


async def test_a_start_whose_reply_is_on_its_way_is_left_alone(rig: Rig) -> None:
    rig.store.owners = {FIRST: (ME, 1)}
    await rig.look()
    rig.call(FIRST)
    await rig.look()
    await rig.look()
    assert (rig.store.returned, rig.target.cut) == ([], [])


async def test_a_reply_that_comes_during_the_second_look_is_not_too_late(rig: Rig) -> None:
    rig.store.owners = {FIRST: (ME, 1)}
    await rig.look()
    rig.store.held["owned"] = asyncio.Event()
    await rig.clock.advance(LOOK_EVERY * SECOND)
    await rig.store.until_called("owned", 3)
    rig.call(FIRST)
    rig.store.held.pop("owned").set()
    await rig.clock.block_until(ALONE)
    await turns()
    assert rig.store.returned == []


async def test_two_looks_mean_the_same_start(rig: Rig) -> None:
    rig.store.owners = {FIRST: (ME, 1)}
    await rig.look()
    rig.store.owners = {FIRST: (ME, 2)}
    await rig.look()
    assert rig.store.returned == []
    await rig.look()
    assert rig.store.returned == [{FIRST: 2}]


async def test_looks_are_far_apart_also_after_one_that_failed(rig: Rig) -> None:
    """Else what was seen a moment ago would count as seen twice."""
    rig.store.owners = {FIRST: (ME, 1)}
    await rig.look()
    rig.store.owners |= {SECOND_RUN: (ME, 1)}
    rig.store.before["hand_back"] = [away()]
    await rig.look()
    await pass_time(rig.clock, LOOK_EVERY - 1, ALONE, step=0.5)
    assert rig.store.calls.count("owned") == 3
    await pass_time(rig.clock, 1, ALONE)
    assert rig.store.returned == [{FIRST: 1, SECOND_RUN: 1}]


async def test_a_look_that_took_long_puts_the_next_one_off(rig: Rig) -> None:
    rig.store.held["owned"] = asyncio.Event()
    await rig.clock.advance(LOOK_EVERY * SECOND)
    await rig.store.until_called("owned", 2)
    await rig.clock.advance(8 * SECOND)
    rig.store.held.pop("owned").set()
    await pass_time(rig.clock, LOOK_EVERY - 1, ALONE)
    assert rig.store.calls.count("owned") == 2
    await pass_time(rig.clock, 1, ALONE)
    assert rig.store.calls.count("owned") == 3


async def test_a_result_that_is_not_recorded_yet_is_not_in_doubt(rig: Rig) -> None:
    rig.store.owners = {FIRST: (ME, 1)}
    rig.recorder.put(finished(1))
    for _ in range(3):
        await rig.look()
    assert rig.store.returned == []


async def test_a_call_whose_run_went_to_another_is_cut(rig: Rig) -> None:
    rig.store.owners = {FIRST: (OTHER, 2), SECOND_RUN: (ME, 1)}
    rig.call(FIRST)
    rig.call(SECOND_RUN)
    await rig.target.wait_for(2)
    await rig.look()
    await turns()
    assert [call.run_id for call in rig.target.cut] == [FIRST]
    assert rig.runner.in_flight() == {(SECOND_RUN, 1)}
    assert [result.note for result in rig.recorder._waiting] == [TAKEN]


async def test_an_older_start_of_a_run_that_is_ours_again_is_cut(rig: Rig) -> None:
    rig.store.owners = {FIRST: (ME, 3)}
    rig.call(FIRST, fence=1)
    await rig.target.wait_for(1)
    await rig.look()
    await turns()
    assert (len(rig.target.cut), rig.runner.in_flight()) == (1, set())


async def test_a_call_that_begins_during_the_look_is_not_cut(rig: Rig) -> None:
    """The ledger was read before it was started."""
    rig.store.held["owned"] = asyncio.Event()
    await rig.clock.advance(LOOK_EVERY * SECOND)
    await rig.store.until_called("owned", 2)
    rig.call(FIRST)
    await rig.target.wait_for(1)
    rig.store.held.pop("owned").set()
    await rig.clock.block_until(ALONE)
    await turns()
    assert (rig.target.cut, rig.runner.in_flight()) == ([], {(FIRST, 1)})
