from __future__ import annotations

import asyncio

import pytest

from app.domain.claim import Recorded
from app.domain.clock import FakeClock
from app.domain.errors import StoreUnavailable
from app.domain.run import State, Trigger
from app.scheduler.observer import NoObserver
from app.scheduler.options import Options
from app.scheduler.recorder import LINGER
from app.scheduler.service import STALLED_AFTER, SchedulerService
from app.scheduler.upkeep import TEND_EVERY
from tests.unit.scheduler.building import MINUTE, NOON, SECOND, job, pass_time, queued, turns
from tests.unit.scheduler.fake_store import FakeStore
from tests.unit.scheduler.fake_target import FakeTarget
from tests.unit.scheduler.wiring import LOOPS, ports_of


async def test_starting_twice_is_starting_once(service: SchedulerService, store: FakeStore, clock: FakeClock) -> None:
    await asyncio.gather(service.start(), service.start())
    await service.start()
    await clock.block_until(LOOPS)
    assert (len(store.joined), clock._asleep(), service.claiming) == (1, LOOPS, True)


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
    service.burials._on_taken([])
    await target.wait_for(1)
    assert clock.monotonic() == 0


async def test_a_run_that_was_lost_with_its_replica_may_pause_its_job_at_once(
    service: SchedulerService, store: FakeStore, clock: FakeClock
) -> None:
    await service.start()
    await clock.block_until(LOOPS)
    seen = store.calls.count("pause_failing")
    service.burials._on_taken([(State.LOST, Trigger.SCHEDULE)])
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
    service.burials._on_taken([(State.LOST, Trigger.SCHEDULE), (State.PENDING, Trigger.CATCH_UP)])
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
