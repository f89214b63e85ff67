from __future__ import annotations

import asyncio

import pytest

from app.domain.clock import FakeClock
from app.domain.errors import StoreUnavailable
from app.scheduler.runner import SHUT_DOWN
from app.scheduler.service import SchedulerService
from tests.unit.scheduler.building import MINUTE, NOON, SECOND, job, pass_time, queued, turns
from tests.unit.scheduler.fake_store import FakeStore
from tests.unit.scheduler.fake_target import FakeTarget
from tests.unit.scheduler.wiring import LOOPS


async def test_stopping_twice_is_stopping_once(service: SchedulerService, store: FakeStore, clock: FakeClock) -> None:
    await service.stop(5)
    await service.start()
    await clock.block_until(LOOPS)
    await asyncio.gather(service.stop(5), service.stop(5))
    await service.stop(5)
    assert (store.calls.count("leave"), clock._sleepers, service.claiming) == (1, {}, False)


async def test_a_start_during_a_stop_follows_it(
    service: SchedulerService, store: FakeStore, target: FakeTarget, clock: FakeClock
) -> None:
    target.holding = True
    store.jobs = {1: job(1)}
    await service.start()
    await target.wait_for(1)
    stopping = asyncio.create_task(service.stop(20))
    await turns()
    starting = asyncio.create_task(service.start())
    await turns()
    assert not starting.done()
    target.release()
    await asyncio.wait_for(stopping, 5)
    await asyncio.wait_for(starting, 5)
    await clock.block_until(LOOPS)
    assert (store.calls.count("leave"), len(store.joined), service.claiming) == (1, 2, True)


async def test_nothing_is_claimed_after_the_word(service: SchedulerService, store: FakeStore, clock: FakeClock) -> None:
    store.jobs = {1: job(1, NOON + SECOND)}
    await service.start()
    await clock.block_until(LOOPS)
    service.stop_claiming()
    store.pending_runs = [queued(7)]
    await pass_time(clock, 10, LOOPS)
    assert (store.calls.count("claim"), store.calls.count("start"), service.claiming) == (0, 0, False)


async def test_running_calls_end_and_what_does_not_is_recorded_as_cut_off(
    service: SchedulerService, store: FakeStore, target: FakeTarget, clock: FakeClock
) -> None:
    """The time to drain counts from the word, not from the stop."""
    target.holding = True
    store.jobs = {1: job(1), 2: job(2)}
    await service.start()
    [first, second] = await target.wait_for(2)
    await clock.block_until(LOOPS)
    service.stop_claiming()
    await pass_time(clock, 10, LOOPS)
    stopping = asyncio.create_task(service.stop(25))
    draining = LOOPS - 5 + 1
    await pass_time(clock, 5, draining)
    target.release(first.run_id)
    await pass_time(clock, 9, draining)
    assert not stopping.done()
    await clock.advance(SECOND)
    await asyncio.wait_for(stopping, 5)
    results = {result.started.call.run_id: (result.outcome, result.note) for result in store.recorded}
    assert results[first.run_id][0] is not None
    assert results[second.run_id] == (None, SHUT_DOWN)
    assert (clock.monotonic(), store.calls[-1]) == (25, "leave")


async def test_a_claim_under_way_ends_and_what_it_started_is_drained(
    service: SchedulerService, store: FakeStore, target: FakeTarget, clock: FakeClock
) -> None:
    store.jobs = {1: job(1)}
    store.held["claim"] = asyncio.Event()
    await service.start()
    await store.until_called("claim")
    stopping = asyncio.create_task(service.stop(25))
    await turns()
    assert not stopping.done()
    store.held.pop("claim").set()
    await asyncio.wait_for(stopping, 5)
    assert (len(target.calls), len(store.recorded), clock.monotonic()) == (1, 1, 0)


async def test_a_replica_that_stops_without_a_store_says_so_and_leaves_nothing_running(
    service: SchedulerService, store: FakeStore, target: FakeTarget, clock: FakeClock
) -> None:
    before = asyncio.all_tasks()
    target.holding = True
    store.jobs = {1: job(1)}
    await service.start()
    await target.wait_for(1)
    await clock.block_until(LOOPS)
    store.down = True
    with pytest.raises(StoreUnavailable):
        await service.stop(0)
    await turns()
    assert asyncio.all_tasks() - before == set()
    assert len(service.recorder.holds()) == 1


async def test_calls_are_cut_when_the_lease_ends(
    service: SchedulerService, store: FakeStore, target: FakeTarget, clock: FakeClock
) -> None:
    target.holding = True
    store.jobs = {1: job(1, schedule="@yearly")}
    await service.start()
    await target.wait_for(1)
    await clock.block_until(LOOPS)
    store.down = True
    await pass_time(clock, 29, LOOPS)
    assert target.cut == []
    await pass_time(clock, 2, LOOPS)
    assert len(target.cut) == 1


async def test_a_claim_that_is_answered_after_the_lease_is_not_called(
    service: SchedulerService, store: FakeStore, target: FakeTarget, clock: FakeClock
) -> None:
    store.jobs = {1: job(1)}
    store.held["claim"] = asyncio.Event()
    store.held["beat"] = asyncio.Event()
    await service.start()
    await store.until_called("claim")
    await clock.advance(31 * SECOND)
    await turns()
    store.held.pop("claim").set()
    await clock.block_until(LOOPS - 1)
    await turns()
    assert (target.calls, service.slots.free) == ([], 200)


async def test_loops_that_hang_are_stopped_together(service: SchedulerService, store: FakeStore) -> None:
    """One after the other, each to its bound, they would outlast the patience of whoever asked."""
    store.jobs = {1: job(1), 2: job(2, NOON - MINUTE - SECOND)}
    for name in ("claim", "pending"):
        store.held[name] = asyncio.Event()
    await service.start()
    await store.until_called("claim", 2)
    await store.until_called("pending")
    stopping = asyncio.create_task(service.stop(25))
    await turns()
    hanging = (service.ticker.loop, service.ticker.late_loop, service.dispatcher.loop)
    assert [loop._stopping for loop in hanging] == [True] * 3
    for event in store.held.values():
        event.set()
    await asyncio.wait_for(stopping, 5)


async def test_upkeep_ends_while_calls_are_drained(
    service: SchedulerService, store: FakeStore, target: FakeTarget
) -> None:
    """Its step may take as long as a loop that is stopped is waited for, and the platform's patience has an end."""
    target.holding = True
    store.jobs = {1: job(1)}
    store.held["tend"] = asyncio.Event()
    await service.start()
    await target.wait_for(1)
    await store.until_called("tend")
    stopping = asyncio.create_task(service.stop(25))
    await turns()
    assert [loop._stopping for loop in (service.upkeep.loop, service.audits.loop)] == [True] * 2
    assert not service.lease.loop._stopping
    store.held.pop("tend").set()
    target.release()
    await asyncio.wait_for(stopping, 5)
