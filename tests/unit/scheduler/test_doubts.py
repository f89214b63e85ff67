from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, MutableMapping
from contextlib import ExitStack, suppress
from typing import Any
from uuid import UUID

import pytest

from app.domain.clock import FakeClock
from app.domain.errors import StoreUnavailable
from app.scheduler.commits import Commits
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
AT_START = 1
FIRST, SECOND_RUN = UUID(int=1), UUID(int=2)


class Rig:
    def __init__(self, clock: FakeClock, store: FakeStore, target: FakeTarget) -> None:
        self.clock, self.store, self.target = clock, store, target
        self.time = LedgerClock(clock, store)
        self.slots = CallSlots(10, 10, lambda: None)
        self.recorder = Recorder(store, lambda: ME, clock, NoObserver())
        self.runner = Runner(target, self.recorder, self.slots, self.time, clock, lambda _: True)
        self.transaction = ExitStack()
        self.commits = Commits(self.in_doubt)
        self.doubts = Doubts(store, lambda: ME, self.runner, self.recorder, self.commits, clock)

    def in_doubt(self) -> None:
        self.doubts.look_now()

    def call(self, run_id: UUID, fence: int = 1) -> None:
        assert self.slots.admit(ONE)
        self.runner.launch(ME, [started(run_id, NOON, fence=fence)])

    async def look(self) -> None:
        """The next regular look, as soon as it is due."""
        await pass_time(self.clock, LOOK_EVERY, ALONE)

    def lose(self, run_id: UUID, fence: int = 1) -> None:
        """A start that is committed, and its answer lost."""
        self.store.owners[run_id] = ME, fence
        with suppress(StoreUnavailable), self.commits.under_way():
            raise away()

    async def begin_to_look(self) -> None:
        """The ledger is read, and its answer held."""
        self.store.held["owned"] = asyncio.Event()
        await self.clock.advance(LOOK_EVERY * SECOND)
        await self.store.until_called("owned", AT_START + 1)

    async def look_before_the_reply(self) -> None:
        """A look at a start that is committed in a transaction which is under way yet."""
        self.transaction.enter_context(self.commits.under_way())
        self.store.owners = {FIRST: (ME, 1)}
        await self.clock.advance(LOOK_EVERY * SECOND)
        await self.store.until_called("owned", AT_START + 1)
        await turns()

    async def settled(self) -> None:
        """In no time of the clock's, until there is nothing to do."""
        await turns()
        await self.clock.block_until(ALONE)

    @property
    def looks(self) -> int:
        return self.store.calls.count("owned") - AT_START


@pytest.fixture
async def rig(clock: FakeClock, store: FakeStore, target: FakeTarget) -> AsyncIterator[Rig]:
    target.holding = True
    made = Rig(clock, store, target)
    await made.time.look()
    made.doubts.loop.start()
    await clock.block_until(ALONE)
    assert made.looks == 0
    yield made
    for event in store.held.values():
        event.set()
    target.release()
    made.transaction.close()
    await made.doubts.loop.stop()


async def test_a_start_whose_reply_was_lost_goes_back_at_once(rig: Rig) -> None:
    rig.lose(FIRST, 4)
    await rig.settled()
    assert (rig.store.returned, rig.looks, rig.clock.monotonic()) == ([{FIRST: 4}], 2, 0)


async def test_a_commit_that_landed_after_the_look_at_it_is_found_by_the_next(rig: Rig) -> None:
    rig.lose(FIRST)
    rig.store.owners = {}
    await rig.settled()
    assert (rig.store.returned, rig.looks) == ([], 1)
    rig.store.owners = {FIRST: (ME, 1)}
    await rig.look()
    assert rig.store.returned == [{FIRST: 1}]


async def test_a_start_whose_reply_is_on_its_way_is_left_alone_however_long_it_takes(rig: Rig) -> None:
    rig.transaction.enter_context(rig.commits.under_way())
    rig.store.owners = {FIRST: (ME, 1)}
    await rig.clock.advance(LOOK_EVERY * SECOND)
    await pass_time(rig.clock, 600, 0, step=10)
    assert (rig.store.returned, rig.looks) == ([], 1)
    rig.transaction.close()
    rig.call(FIRST)
    await rig.settled()
    await rig.look()
    assert (rig.store.returned, rig.target.cut, rig.runner.in_flight()) == ([], [], {(FIRST, 1)})


async def test_a_failure_beside_a_reply_on_its_way_tells_the_two_apart(rig: Rig) -> None:
    rig.transaction.enter_context(rig.commits.under_way())
    rig.store.owners = {FIRST: (ME, 1)}
    rig.lose(SECOND_RUN)
    await turns()
    rig.transaction.close()
    rig.call(FIRST)
    await rig.settled()
    assert (rig.store.returned, rig.target.cut) == ([{SECOND_RUN: 1}], [])


async def test_transactions_that_begin_later_hold_nothing_up(rig: Rig) -> None:
    """They cannot bring what was committed before."""
    await rig.look_before_the_reply()
    with rig.commits.under_way():
        rig.transaction.close()
        await rig.settled()
        assert rig.store.returned == [{FIRST: 1}]


async def test_a_run_that_was_recorded_between_two_looks_is_not_in_doubt(rig: Rig) -> None:
    """Its reply came, its call ended, and its result is in the ledger."""
    await rig.look_before_the_reply()
    rig.store.owners = {}
    rig.transaction.close()
    await rig.settled()
    assert (rig.looks, "hand_back" in rig.store.calls) == (2, False)


async def test_two_looks_mean_the_same_start(rig: Rig) -> None:
    await rig.look_before_the_reply()
    rig.store.owners = {FIRST: (ME, 2)}
    rig.transaction.close()
    await rig.settled()
    assert rig.store.returned == []
    await rig.look()
    assert rig.store.returned == [{FIRST: 2}]


async def test_a_reply_that_comes_during_a_look_is_not_too_late(rig: Rig) -> None:
    rig.store.owners = {FIRST: (ME, 1)}
    await rig.begin_to_look()
    rig.call(FIRST)
    rig.store.held.pop("owned").set()
    await rig.settled()
    assert (rig.store.returned, rig.looks) == ([], 1)


async def test_a_doubt_that_comes_up_during_a_look_is_settled_by_another(rig: Rig) -> None:
    """The ledger was read before."""
    await rig.begin_to_look()
    rig.lose(FIRST)
    rig.store.held.pop("owned").set()
    await rig.settled()
    assert (rig.store.returned, rig.looks) == ([{FIRST: 1}], 3)


@pytest.mark.parametrize("during", ["owned", "hand_back"])
async def test_a_look_that_failed_is_made_again_soon(rig: Rig, during: str) -> None:
    """The usual case: the answer was lost since the database went away."""
    rig.store.before[during] = [away()]
    rig.lose(FIRST)
    await rig.settled()
    looks = rig.looks
    await pass_time(rig.clock, 0.4, ALONE, step=0.4)
    assert (rig.store.returned, rig.looks) == ([], looks)
    await pass_time(rig.clock, 0.1, ALONE, step=0.1)
    assert rig.store.returned == [{FIRST: 1}]


async def test_a_second_look_that_failed_takes_the_first_one_with_it(rig: Rig) -> None:
    await rig.look_before_the_reply()
    rig.store.before["owned"] = [away()]
    rig.transaction.close()
    await rig.settled()
    assert (rig.store.returned, rig.looks) == ([], 2)
    await pass_time(rig.clock, 0.5, ALONE, step=0.5)
    assert (rig.store.returned, rig.looks) == ([{FIRST: 1}], 4)


async def test_a_doubt_that_comes_up_during_a_look_that_fails_waits_for_the_pause(rig: Rig) -> None:
    rig.store.after["owned"] = [away()]
    await rig.begin_to_look()
    rig.lose(FIRST)
    rig.store.held.pop("owned").set()
    await rig.settled()
    assert (rig.store.returned, rig.looks) == ([], 1)
    await pass_time(rig.clock, 0.5, ALONE, step=0.5)
    assert rig.store.returned == [{FIRST: 1}]


async def test_looks_are_regular_from_the_last_one(rig: Rig) -> None:
    await pass_time(rig.clock, 4, ALONE)
    rig.doubts.look_now()
    await rig.settled()
    assert rig.looks == 1
    await pass_time(rig.clock, LOOK_EVERY - 1, ALONE)
    assert rig.looks == 1
    await pass_time(rig.clock, 1, ALONE)
    assert rig.looks == 2


async def test_what_went_back_is_told_once(rig: Rig, logs: list[MutableMapping[str, Any]]) -> None:
    rig.lose(FIRST)
    await rig.settled()
    rig.store.owners = {}
    await rig.look()
    assert [entry["runs"] for entry in logs if entry["log_level"] == "warning"] == [1]


async def test_what_was_no_longer_ours_by_then_is_not_told(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, logs: list[MutableMapping[str, Any]]
) -> None:
    async def none_of_them(*_: object) -> int:
        rig.store.calls.append("hand_back")
        return 0

    monkeypatch.setattr(rig.store, "hand_back", none_of_them)
    rig.lose(FIRST)
    await rig.settled()
    assert (rig.store.calls[-1], logs) == ("hand_back", [])


async def test_a_result_that_is_recorded_during_a_look_is_not_in_doubt(rig: Rig) -> None:
    """The ledger was read before."""
    rig.store.owners = {FIRST: (ME, 1)}
    rig.recorder.put(finished(1))
    await rig.begin_to_look()
    await rig.recorder.flush()
    rig.store.held.pop("owned").set()
    await rig.settled()
    assert (rig.store.returned, rig.looks) == ([], 1)


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
    await rig.begin_to_look()
    rig.call(FIRST)
    await rig.target.wait_for(1)
    rig.store.held.pop("owned").set()
    await rig.clock.block_until(ALONE)
    await turns()
    assert (rig.target.cut, rig.runner.in_flight()) == ([], {(FIRST, 1)})
