from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from uuid import UUID

import pytest

from app.domain.claim import Recorded
from app.domain.clock import FakeClock
from app.domain.run import State, Trigger
from app.scheduler.commits import Commits
from app.scheduler.dispatcher import GRACE, LINGER, LOOK_EVERY, Dispatcher
from app.scheduler.ledger_clock import LedgerClock
from app.scheduler.observer import NoObserver
from app.scheduler.recorder import Recorder
from app.scheduler.runner import Runner
from app.scheduler.slots import CallSlots
from tests.unit.scheduler.building import ME, NOON, ONE, SECOND, THREE, TWO, pass_time, queued, turns
from tests.unit.scheduler.fake_store import FakeStore, away
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


@pytest.fixture
async def rig(clock: FakeClock, store: FakeStore, target: FakeTarget) -> AsyncIterator[Rig]:
    made = Rig(clock, store, target)
    await made.start()
    yield made
    for event in store.held.values():
        event.set()
    await made.dispatcher.loop.stop()


async def test_a_run_that_is_queued_is_started_at_once(rig: Rig) -> None:
    rig.enqueue((1, ONE))
    assert [call.run_id.int for call in await rig.target.wait_for(1)] == [1]
    assert (rig.clock.monotonic(), rig.doubts) == (0, 0)


async def test_a_host_that_is_full_holds_none_of_the_other_places(rig: Rig) -> None:
    rig.target.holding = True
    rig.enqueue(*((number, ONE) for number in range(10)), (20, TWO), (30, THREE))
    await rig.target.wait_for(4)
    await rig.settled()
    assert sorted(rig.called()) == [0, 1, 20, 30]
    rig.target.release(UUID(int=0))
    await rig.settled()
    assert sorted(rig.called()) == [0, 1, 2, 20, 30]


async def test_what_yields_leaves_a_quarter_of_the_places_free(rig: Rig) -> None:
    rig.target.holding = True
    runs = [replace(queued(number, host), yields=True) for number, host in enumerate((ONE, TWO, THREE, ONE))]
    rig.store.pending_runs += runs
    rig.dispatcher.enqueue(runs)
    await rig.target.wait_for(3)
    rig.enqueue((10, TWO))
    await rig.settled()
    assert sorted(rig.called()) == [0, 1, 2, 10]


async def test_hosts_are_served_in_turn(rig: Rig) -> None:
    rig.target.holding = True
    rig.enqueue(*((number, ONE) for number in range(10)), *((number, TWO) for number in range(20, 30)), (30, THREE))
    await rig.target.wait_for(4)
    assert sorted(rig.called()) == [0, 1, 20, 30]


async def test_slow_hosts_with_long_queues_starve_no_other(rig: Rig) -> None:
    """Between them they hold every place; each host has its turn before one has its second."""
    rig.target.holding = True
    rig.enqueue(*((number, ONE) for number in range(10)), *((number, TWO) for number in range(20, 30)))
    await rig.target.wait_for(4)
    rig.enqueue((30, THREE))
    for number in (0, 1):
        rig.target.release(UUID(int=number))
        await rig.settled()
    assert rig.called()[4:] == [2, 30]


async def test_places_that_become_free_together_are_filled_by_one_transaction(rig: Rig) -> None:
    rig.target.holding = True
    rig.enqueue(*((number, (ONE, TWO)[number % 2]) for number in range(8)))
    await rig.target.wait_for(4)
    rig.target.holding = False
    for number in range(4):
        rig.target.release(UUID(int=number))
        await turns()
    await rig.settled()
    assert (len(rig.called()), rig.store.calls.count("start")) == (8, 2)


async def test_a_run_that_is_queued_twice_is_started_once(rig: Rig) -> None:
    rig.enqueue((1, ONE))
    rig.dispatcher.enqueue([queued(1)])
    await rig.target.wait_for(1)
    await rig.settled()
    assert rig.called() == [1]


async def test_a_run_that_is_no_longer_pending_gives_its_place_back(rig: Rig) -> None:
    rig.dispatcher.enqueue([queued(1), queued(2)])
    await rig.settled()
    assert (rig.called(), rig.slots.free, rig.dispatcher._known) == ([], 4, set())


async def test_nothing_that_was_queued_is_remembered_for_ever(rig: Rig) -> None:
    for number in range(200):
        rig.enqueue((number, (ONE, TWO, THREE)[number % 3]))
        rig.dispatcher.enqueue([queued(1000 + number)])
        await rig.settled()
    assert len(set(rig.called())) == 200
    assert (rig.dispatcher._known, rig.dispatcher._queues, rig.slots.free) == (set(), {}, 4)


async def test_a_start_that_fails_gives_the_places_back_and_is_tried_again_after_a_pause(rig: Rig) -> None:
    rig.store.before["start"] = [away()]
    rig.enqueue((1, ONE), (2, TWO))
    await rig.store.until_called("start")
    await rig.clock.block_until(ALONE)
    assert (rig.called(), rig.slots.free, rig.store.calls.count("start")) == ([], 4, 1)
    await pass_time(rig.clock, 1, ALONE, step=0.5)
    assert sorted(rig.called()) == [1, 2]


async def test_without_a_store_it_does_not_spin(rig: Rig) -> None:
    rig.store.down = True
    rig.enqueue(*((number, ONE) for number in range(10)))
    await pass_time(rig.clock, 10, ALONE, step=0.1)
    assert len(rig.store.calls) < 50
    rig.store.down = False
    rig.target.holding = True
    await pass_time(rig.clock, 1, ALONE, step=0.1)
    assert (rig.called(), rig.slots.free) == ([0, 1], 2)


async def test_a_start_whose_reply_was_lost_is_not_called_here(rig: Rig) -> None:
    """It is committed, so it is for the look at doubtful commits to settle."""
    rig.store.after["start"] = [away()]
    rig.enqueue((1, ONE))
    await pass_time(rig.clock, 3, ALONE, step=0.5)
    assert (rig.called(), rig.slots.free, rig.dispatcher._known) == ([], 4, set())
    assert (rig.doubts, UUID(int=1) in rig.store.owners) == (1, True)


async def test_a_start_that_is_cut_off_gives_the_places_back(rig: Rig) -> None:
    rig.store.held["start"] = asyncio.Event()
    rig.enqueue((1, ONE))
    await rig.store.until_called("start")
    task = rig.dispatcher.loop._task
    assert task is not None
    assert rig.slots.free == 3
    task.cancel()
    await asyncio.wait([task])
    assert (rig.slots.free, rig.called(), rig.doubts) == (4, [], 1)


async def test_pending_runs_that_nobody_starts_are_looked_for(rig: Rig) -> None:
    rig.store.pending_runs = [queued(1), queued(2, TWO)]
    await pass_time(rig.clock, LOOK_EVERY, ALONE)
    assert sorted(rig.called()) == [1, 2]


async def test_it_is_told_to_look_now(rig: Rig) -> None:
    rig.store.pending_runs = [queued(1)]
    rig.dispatcher.look_now()
    await rig.target.wait_for(1)
    assert rig.clock.monotonic() == 0


async def test_it_looks_for_runs_that_are_overdue_and_for_which_there_is_room(clock: FakeClock) -> None:
    asked: list[tuple[int, list[str], object]] = []

    class Asked(FakeStore):
        async def pending(self, limit: int, full_hosts: object, overdue: object) -> list[object]:  # type: ignore[override]
            asked.append((limit, list(full_hosts), overdue))  # type: ignore[call-overload]
            return []

    rig = Rig(clock, Asked(clock), FakeTarget(holding=True))
    rig.enqueue((1, ONE), (2, ONE), (3, TWO))
    await rig.start()
    await pass_time(clock, LOOK_EVERY, ALONE)
    assert asked == [(4, [], GRACE), (1, [ONE], GRACE)]
    rig.enqueue((4, TWO))
    await pass_time(clock, 3, ALONE)
    assert (len(asked), rig.slots.free) == (2, 0)
    await rig.dispatcher.loop.stop()


async def test_nothing_is_started_without_leave(rig: Rig) -> None:
    rig.allowed = False
    rig.enqueue((1, ONE))
    await pass_time(rig.clock, 5, ALONE)
    assert (rig.called(), rig.store.calls.count("start")) == ([], 0)
    rig.allowed = True
    await pass_time(rig.clock, 1, ALONE)
    assert rig.called() == [1]


async def test_stopping_lets_a_start_under_way_end_and_its_call_begin(rig: Rig) -> None:
    rig.store.held["start"] = asyncio.Event()
    rig.enqueue((1, ONE))
    await rig.store.until_called("start")
    stopping = asyncio.create_task(rig.dispatcher.loop.stop())
    await turns()
    rig.store.held["start"].set()
    await asyncio.wait_for(stopping, 5)
    await rig.target.wait_for(1)
    await rig.clock.advance(SECOND)


async def test_a_run_that_is_due_later_is_started_when_it_is_due(rig: Rig) -> None:
    later, sooner = (replace(queued(number), due_at=NOON + number * SECOND / 10) for number in (5, 3))
    rig.store.pending_runs += [later, sooner]
    rig.dispatcher.enqueue([later, sooner])
    assert len(rig.dispatcher) == 0
    await pass_time(rig.clock, 0.2, ALONE, step=0.1)
    assert rig.called() == []
    await pass_time(rig.clock, 0.1, ALONE, step=0.1)
    assert rig.called() == [3]
    await pass_time(rig.clock, 0.3, ALONE, step=0.1)
    assert rig.called() == [3, 5]


async def test_runs_that_are_held_up_are_looked_for_each_second(rig: Rig) -> None:
    rig.store.held_up = [queued(1)]
    await pass_time(rig.clock, 2 * LOOK_EVERY, ALONE)
    assert rig.called() == []
    rig.store.gates_open = True
    await pass_time(rig.clock, LOOK_EVERY, ALONE)
    assert rig.called() == [1]


async def test_where_runs_are_held_up_the_end_of_a_run_is_followed_by_a_look(rig: Rig) -> None:
    rig.dispatcher.runs_ended()
    await turns()
    seen = rig.store.calls.count("opened")
    rig.dispatcher.runs_ended()
    await rig.settled()
    assert rig.store.calls.count("opened") == seen
    rig.store.held_up = [queued(1)]
    await pass_time(rig.clock, LOOK_EVERY, ALONE)
    rig.store.gates_open = True
    rig.dispatcher.runs_ended()
    await rig.target.wait_for(1)


async def test_a_run_that_is_held_up_keeps_no_place_and_is_not_remembered(rig: Rig) -> None:
    run = queued(1)
    rig.store.held_up = [run]
    rig.dispatcher.enqueue([run])
    await rig.settled()
    assert (rig.called(), rig.slots.free, len(rig.dispatcher), rig.dispatcher._known) == ([], 4, 0, set())


async def test_a_backlog_that_nobody_knows_of_is_worked_off_as_places_become_free(rig: Rig) -> None:
    rig.store.pending_runs = [queued(number, (ONE, TWO)[number % 2]) for number in range(40)]
    rig.dispatcher.look_now()
    await rig.target.wait_for(4)
    await pass_time(rig.clock, LOOK_EVERY, ALONE, step=LINGER)
    assert len(set(rig.called())) == 40


async def test_a_full_look_while_every_place_is_taken_is_made_up_for(rig: Rig) -> None:
    rig.target.holding = True
    rig.enqueue((1, ONE), (2, ONE), (3, TWO), (4, TWO))
    await rig.target.wait_for(4)
    await pass_time(rig.clock, LOOK_EVERY, ALONE)
    rig.store.pending_runs = [queued(5, THREE)]
    rig.target.release(UUID(int=1))
    await rig.settled()
    assert rig.called()[4:] == [5]


async def test_deadlines_are_looked_at_each_second_with_places_or_without(rig: Rig) -> None:
    rig.target.holding = True
    rig.enqueue((1, ONE), (2, ONE), (3, TWO), (4, TWO))
    await rig.target.wait_for(4)
    seen = rig.store.calls.count("expire")
    await pass_time(rig.clock, 3 * LOOK_EVERY, ALONE)
    assert rig.store.calls.count("expire") == seen + 3


async def test_what_is_past_its_deadline_is_told(rig: Rig) -> None:
    rig.store.expired = Recorded(became=[(State.FAILED, Trigger.SCHEDULE)])
    await pass_time(rig.clock, LOOK_EVERY, ALONE)
    assert [recorded.became for recorded in rig.timed_out if recorded.became] == [[("failed", "schedule")]]


async def test_attempts_without_their_callback_are_looked_for_each_second_and_made_again(rig: Rig) -> None:
    seen = rig.store.calls.count("time_out")
    rig.store.timed_out = Recorded(queued=[queued(1)], became=[(State.PENDING, Trigger.SCHEDULE)])
    await pass_time(rig.clock, 2 * LOOK_EVERY, ALONE)
    assert rig.store.calls.count("time_out") == seen + 2
    assert rig.called() == [1]
    assert [recorded.became for recorded in rig.timed_out if recorded.became] == [[("pending", "schedule")]]
