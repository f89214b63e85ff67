from __future__ import annotations

import asyncio
from dataclasses import replace
from uuid import UUID

from app.scheduler.looper import BUSY_PAUSE
from tests.unit.scheduler.building import ONE, SECOND, THREE, TWO, pass_time, queued, turns
from tests.unit.scheduler.fake_store import away
from tests.unit.scheduler.rig import ALONE, Rig


async def test_a_run_that_is_queued_is_started_at_once(rig: Rig) -> None:
    rig.enqueue((1, ONE))
    assert [call.run_id.int for call in await rig.target.wait_for(1)] == [1]
    assert (rig.clock.monotonic(), rig.doubts) == (0, 0)


async def test_a_run_whose_job_is_locked_is_tried_again_soon_and_holds_up_no_other(rig: Rig) -> None:
    rig.store.busy_runs = {UUID(int=1)}
    rig.enqueue((1, ONE), (2, ONE))
    await rig.target.wait_for(1)
    await rig.settled()
    assert (rig.called(), rig.slots.free, rig.store.calls.count("start")) == ([2], 4, 1)
    rig.store.busy_runs = set()
    await pass_time(rig.clock, BUSY_PAUSE, ALONE, step=0.01)
    await rig.settled()
    assert rig.called() == [2, 1]


async def test_runs_whose_job_is_locked_hide_no_others_that_are_pending(rig: Rig) -> None:
    rig.store.pending_runs = [queued(number, host) for number, host in enumerate((ONE, ONE, TWO, TWO, THREE))]
    rig.store.busy_runs = {UUID(int=number) for number in range(4)}
    await pass_time(rig.clock, 2, ALONE, step=0.1)
    assert rig.called() == [4]


async def test_runs_whose_job_is_locked_hide_no_others_that_were_held_up(rig: Rig) -> None:
    rig.store.gates_open = True
    rig.store.held_up = [queued(number, host) for number, host in enumerate((ONE, ONE, TWO, TWO, THREE))]
    rig.store.busy_runs = {UUID(int=number) for number in range(4)}
    await pass_time(rig.clock, 3, ALONE, step=0.1)
    assert rig.called() == [4]


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
