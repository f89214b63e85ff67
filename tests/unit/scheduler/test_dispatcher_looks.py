from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from uuid import UUID

import pytest

from app.domain.claim import Recorded
from app.domain.clock import FakeClock
from app.domain.run import State, Trigger
from app.scheduler.dispatcher import GRACE, LINGER, LONGEST_REST, LOOK_EVERY, REST
from app.scheduler.looper import BUSY_PAUSE
from tests.unit.scheduler.building import NOON, ONE, SECOND, THREE, TWO, pass_time, queued, turns
from tests.unit.scheduler.fake_store import FakeStore
from tests.unit.scheduler.fake_target import FakeTarget
from tests.unit.scheduler.rig import ALONE, Rig


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


async def test_what_is_too_late_and_held_by_others_is_looked_at_again_soon(rig: Rig) -> None:
    for expired, again in ((Recorded(more=True), 1), (Recorded(), 0)):
        rig.store.expired = expired
        await pass_time(rig.clock, LOOK_EVERY, ALONE)
        seen = rig.store.calls.count("expire")
        await pass_time(rig.clock, 2 * BUSY_PAUSE, ALONE, step=BUSY_PAUSE)
        assert rig.store.calls.count("expire") == seen + again


@pytest.mark.parametrize(("takes", "between"), [(0.5, (1 + REST) * 0.5), (1, 1 + LONGEST_REST)])
async def test_a_look_that_takes_long_is_made_the_less_often(clock: FakeClock, takes: float, between: float) -> None:
    asked: list[float] = []

    class Slow(FakeStore):
        async def pending(self, limit: int, full_hosts: object, overdue: object) -> list[object]:  # type: ignore[override]  # noqa: ARG002  # the port's
            await clock.advance(takes * SECOND)
            asked.append(clock.monotonic())
            return []

    rig = Rig(clock, Slow(clock), FakeTarget())
    await rig.start()
    await pass_time(clock, 10, ALONE, step=0.5)
    assert {later - sooner for sooner, later in pairwise(asked)} == {between}
    seen = len(asked)
    rig.dispatcher.look_now()
    await turns()
    assert len(asked) == seen + 1
    await rig.dispatcher.loop.stop()


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
