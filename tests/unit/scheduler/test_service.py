from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from app.domain.claim import Recorded
from app.domain.clock import FakeClock
from app.domain.errors import StoreUnavailable
from app.domain.run import State, Trigger
from app.scheduler.observer import NoObserver
from app.scheduler.options import Options
from app.scheduler.ports import Ports
from app.scheduler.recorder import LINGER
from app.scheduler.runner import SHUT_DOWN
from app.scheduler.service import STALLED_AFTER, SchedulerService
from app.scheduler.upkeep import TEND_EVERY
from tests.unit.scheduler.building import MINUTE, NOON, SECOND, job, pass_time, queued, turns
from tests.unit.scheduler.fake_store import FakeStore
from tests.unit.scheduler.fake_target import FakeTarget

LOOPS = 13


def ports_of(store: FakeStore, target: FakeTarget) -> Ports:
    return Ports(
        jobs=store,
        claims=store,
        starts=store,
        records=store,
        cancels=store,
        pauses=store,
        failing=store,
        members=store,
        keeper=store,
        audit=store,
        target=target,
    )


@pytest.fixture
async def service(clock: FakeClock, store: FakeStore, target: FakeTarget) -> AsyncIterator[SchedulerService]:
    made = SchedulerService(ports_of(store, target), Options(), clock)
    yield made
    store.down = False
    for event in store.held.values():
        event.set()
    target.release()
    await made.stop(0)


async def test_starting_twice_is_starting_once(service: SchedulerService, store: FakeStore, clock: FakeClock) -> None:
    await asyncio.gather(service.start(), service.start())
    await service.start()
    await clock.block_until(LOOPS)
    assert (len(store.joined), clock._asleep(), service.claiming) == (1, LOOPS, True)


async def test_stopping_twice_is_stopping_once(service: SchedulerService, store: FakeStore, clock: FakeClock) -> None:
    await service.stop(5)
    await service.start()
    await clock.block_until(LOOPS)
    await asyncio.gather(service.stop(5), service.stop(5))
    await service.stop(5)
    assert (store.calls.count("leave"), clock._sleepers, service.claiming) == (1, {}, False)


async def test_twenty_cycles_leave_no_task_and_claim_each_time(
    service: SchedulerService, store: FakeStore, target: FakeTarget, clock: FakeClock
) -> None:
    before = asyncio.all_tasks()
    store.jobs = {1: job(1, NOON, "* * * * * *")}
    for cycle in range(1, 21):
        await service.start()
        await target.wait_for(cycle)
        await clock.block_until(LOOPS)
        await service.stop(5)
        store.jobs = {1: job(1, clock.now() + SECOND, "* * * * * *")}
        await clock.advance(SECOND)
        service.entries.remove(1)
    await turns()
    assert asyncio.all_tasks() - before == set()
    assert len(target.calls) == 20 == len({call.scheduled_for for call in target.calls})
    assert len(store.recorded) == 20
    assert len(set(store.joined)) == 20


async def test_a_start_that_failed_can_be_made_again(
    service: SchedulerService, store: FakeStore, clock: FakeClock
) -> None:
    store.down = True
    with pytest.raises(StoreUnavailable):
        await service.start()
    assert clock._sleepers == {}
    store.down = False
    await service.start()
    await clock.block_until(LOOPS)
    assert service.claiming


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


async def test_an_edit_told_here_is_followed_at_once(
    service: SchedulerService, store: FakeStore, clock: FakeClock
) -> None:
    await service.start()
    await clock.block_until(LOOPS)
    store.jobs = {1: job(1, NOON + MINUTE)}
    service.jobs_changed([1])
    await store.until_called("enabled_among")
    await clock.block_until(LOOPS)
    assert service.entries.versions() == {1: 1}
    store.jobs = {}
    service.many_changed()
    await turns()
    await clock.block_until(LOOPS)
    assert (service.entries.versions(), clock.monotonic()) == ({}, 0)


async def test_a_job_told_here_is_called_in_time_however_soon_it_is_due(
    service: SchedulerService, store: FakeStore, target: FakeTarget, clock: FakeClock
) -> None:
    await service.start()
    await clock.block_until(LOOPS)
    store.jobs = {1: job(1, NOON + 0.3 * SECOND)}
    service.jobs_changed([1])
    await pass_time(clock, 0.3, LOOPS, step=0.1)
    assert len(target.calls) == 1


async def test_runs_that_were_taken_over_are_looked_for_at_once(
    service: SchedulerService, store: FakeStore, target: FakeTarget, clock: FakeClock
) -> None:
    await service.start()
    await clock.block_until(LOOPS)
    store.pending_runs = [queued(7)]
    service.lease._on_taken([])
    await target.wait_for(1)
    assert clock.monotonic() == 0


async def test_a_run_that_was_lost_with_its_replica_may_pause_its_job_at_once(
    service: SchedulerService, store: FakeStore, clock: FakeClock
) -> None:
    await service.start()
    await clock.block_until(LOOPS)
    seen = store.calls.count("pause_failing")
    service.lease._on_taken([(State.LOST, Trigger.SCHEDULE)])
    await store.until_called("pause_failing", seen + 1)
    assert clock.monotonic() == 0


async def test_runs_that_no_call_ended_are_counted_once_each(
    store: FakeStore, target: FakeTarget, clock: FakeClock
) -> None:
    counted: list[tuple[State, Trigger]] = []

    class Counting(NoObserver):
        def ended(self, state: State, trigger: Trigger) -> None:
            counted.append((state, trigger))

    service = SchedulerService(ports_of(store, target), Options(), clock, Counting())
    service.runs_ended([(State.CANCELED, Trigger.MANUAL)])
    service.lease._on_taken([(State.LOST, Trigger.SCHEDULE), (State.PENDING, Trigger.CATCH_UP)])
    service.dispatcher._on_timed_out(Recorded(became=[(State.FAILED, Trigger.RETRY), (State.PENDING, Trigger.MANUAL)]))
    ended = [(State.CANCELED, Trigger.MANUAL), (State.LOST, Trigger.SCHEDULE), (State.FAILED, Trigger.RETRY)]
    assert counted == ended


async def test_jobs_whose_pause_has_ended_are_read_at_once(
    service: SchedulerService, store: FakeStore, target: FakeTarget, clock: FakeClock
) -> None:
    await service.start()
    await clock.block_until(LOOPS)
    store.jobs = {1: job(1, NOON + SECOND)}
    store.resumed = [1]
    await pass_time(clock, 1.5, LOOPS, step=0.5)
    assert len(target.calls) == 1


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


async def test_a_run_queued_here_is_started_at_once(
    service: SchedulerService, store: FakeStore, target: FakeTarget, clock: FakeClock
) -> None:
    await service.start()
    await clock.block_until(LOOPS)
    store.pending_runs = [queued(7)]
    service.runs_queued([queued(7)])
    await target.wait_for(1)
    assert clock.monotonic() == 0


async def test_upkeep_that_takes_long_holds_up_nothing(
    service: SchedulerService, store: FakeStore, target: FakeTarget, clock: FakeClock
) -> None:
    store.held["tend"] = asyncio.Event()
    store.jobs = {1: job(1, NOON + 2 * SECOND)}
    await service.start()
    await store.until_called("tend")
    await pass_time(clock, 2, LOOPS - 1)
    assert len(target.calls) == 1


async def test_upkeep_that_waits_for_its_hour_does_not_stand_still(
    service: SchedulerService, store: FakeStore, clock: FakeClock
) -> None:
    await service.start()
    await pass_time(clock, TEND_EVERY - 10, LOOPS, step=10)
    assert (store.calls.count("tend"), service.stalled()) == (1, [])
    await pass_time(clock, 10, LOOPS)
    assert (store.calls.count("tend"), service.stalled()) == (2, [])


async def test_a_loop_that_stands_still_is_told_and_one_that_waits_is_not(
    service: SchedulerService, store: FakeStore, clock: FakeClock
) -> None:
    assert service.stalled() == []
    await service.start()
    await pass_time(clock, 2 * STALLED_AFTER, LOOPS)
    assert service.stalled() == []
    store.held["changed_since"] = asyncio.Event()
    await pass_time(clock, 5, LOOPS - 1)
    await pass_time(clock, STALLED_AFTER - 1, LOOPS - 1)
    assert service.stalled() == []
    await pass_time(clock, 2, LOOPS - 1)
    assert service.stalled() == ["follower"]


async def test_results_wait_while_others_are_due(
    service: SchedulerService, store: FakeStore, target: FakeTarget, clock: FakeClock
) -> None:
    """Neither claimed yet, nor in the dispatcher's queue."""
    store.jobs = {1: job(1)}
    await service.start()
    await target.wait_for(1)
    store.held["claim"] = asyncio.Event()
    service.entries.put(job(2))
    service.ticker.loop.wake()
    await store.until_called("claim", 2)
    await pass_time(clock, 2 * LINGER, LOOPS - 1, step=LINGER)
    assert store.recorded == []
    store.held["claim"].set()
    await pass_time(clock, LINGER, LOOPS, step=LINGER)
    assert store.recorded
