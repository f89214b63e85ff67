"""Runs of one job against each other, wherever they start."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from app.domain.claim import Queued
from app.domain.clock import FakeClock
from app.domain.job import PersistedJob
from app.domain.policies import Delivery, Overlap, Policies
from app.domain.retry import Retry
from app.domain.run import Trigger
from tests.db.building import (
    ME,
    MINUTE,
    NOON,
    OTHER,
    SECOND,
    Ledger,
    cut_off,
    ended,
    queued,
    room_for,
    states,
)
from tests.db.locks import gate

DUE = NOON + MINUTE
LAST_STEP = "LOCK TABLE job_runs IN SHARE MODE"
LEASE = timedelta(seconds=30)


async def _job(ledger: Ledger, overlap: Overlap, name: str = "job", **more: Any) -> PersistedJob:
    return await ledger.create(name, policies=Policies(overlap=overlap, **more))


async def _minute(ledger: Ledger, clock: FakeClock, job: PersistedJob, *, room: int = 10) -> Any:
    """The next occurrence is claimed."""
    clock.step(MINUTE)
    return await ledger.claim(clock.now(), job, slots=room_for(room))


async def _two_pending(ledger: Ledger, clock: FakeClock, job: PersistedJob) -> list[Queued]:
    for _ in range(2):
        await _minute(ledger, clock, job, room=0)
    return [queued(run) for run in await ledger.runs_of(job)]


async def _opened(ledger: Ledger) -> list[Queued]:
    return (await ledger.starts.opened(10, [])).runs


async def test_a_scheduled_run_is_skipped_while_another_is_active(ledger: Ledger, clock: FakeClock) -> None:
    job = await _job(ledger, Overlap.SKIP)
    [first] = (await _minute(ledger, clock, job)).started
    claims = await _minute(ledger, clock, job)
    assert (claims.started, claims.queued) == ([], [])
    [_, second] = await ledger.runs_of(job)
    assert (second.state, second.reason) == ("skipped", f"overlap: run {first.call.run_id} is active")
    assert (second.attempt, second.owner, second.waiting_for) == (0, None, None)
    assert (await ledger.row_of(job)).next_run == DUE + 2 * MINUTE
    await ledger.record(ended(first))
    assert len((await _minute(ledger, clock, job)).started) == 1


async def test_a_run_between_two_attempts_is_active(ledger: Ledger, clock: FakeClock) -> None:
    job = await _job(ledger, Overlap.SKIP, retry=Retry(min_backoff_seconds=600))
    [first] = (await _minute(ledger, clock, job)).started
    await ledger.record(ended(first, error="status: 500"))
    await _minute(ledger, clock, job)
    assert states(await ledger.runs_of(job)) == ["pending", "skipped"]
    clock.step(60 * MINUTE)
    [again] = await ledger.starts.start(ME, [queued((await ledger.runs_of(job))[0])])
    assert again.call.attempt == 2


async def test_a_pending_run_is_skipped_when_its_turn_comes(ledger: Ledger, clock: FakeClock) -> None:
    job = await _job(ledger, Overlap.SKIP)
    runs = await _two_pending(ledger, clock, job)
    [started] = await ledger.starts.start(ME, runs)
    [first, second] = await ledger.runs_of(job)
    assert started.call.run_id == first.id
    assert (second.state, second.reason) == ("skipped", f"overlap: run {first.id} is active")
    assert second.finished_at == clock.now()
    assert (second.attempt, second.fence) == (0, 0)


async def test_overlap_is_allowed(ledger: Ledger, clock: FakeClock) -> None:
    job = await _job(ledger, Overlap.ALLOW)
    for _ in range(3):
        assert len((await _minute(ledger, clock, job)).started) == 1
    assert states(await ledger.runs_of(job)) == ["running"] * 3


async def test_a_manual_run_ignores_overlap_and_counts_for_scheduled_ones(ledger: Ledger, clock: FakeClock) -> None:
    job = await _job(ledger, Overlap.SKIP)
    [first] = (await _minute(ledger, clock, job)).started
    clock.step(SECOND)
    manual = await ledger.runs.trigger("job")
    assert len(await ledger.starts.start(ME, [queued(manual)])) == 1
    await ledger.record(ended(first))
    await ledger.claim(clock.now() + MINUTE, job)
    clock.step(MINUTE - SECOND)
    await ledger.claim(clock.now(), job)
    [*_, last] = await ledger.runs_of(job)
    assert (last.state, last.reason) == ("skipped", f"overlap: run {manual.id} is active")


async def test_one_waits_in_the_queue_and_the_next_is_skipped(ledger: Ledger, clock: FakeClock) -> None:
    job = await _job(ledger, Overlap.QUEUE)
    [first] = (await _minute(ledger, clock, job)).started
    for _ in range(2):
        claims = await _minute(ledger, clock, job)
        assert (claims.started, claims.queued) == ([], [])
    [_, second, third] = await ledger.runs_of(job)
    assert (second.state, second.waiting_for) == ("pending", f"job {job.uid}")
    assert (third.state, third.reason) == ("skipped", "overlap: 1 runs wait already")
    assert await ledger.starts.pending(10, [], timedelta(0)) == []
    assert (await ledger.starts.opened(10, [])).waited_for
    assert await _opened(ledger) == []
    await ledger.record(ended(first))
    assert await _opened(ledger) == [queued(second)]
    [started] = await ledger.starts.start(ME, [queued(second)])
    assert started.call.run_id == second.id
    assert (await ledger.runs_of(job))[1].waiting_for is None
    assert not (await ledger.starts.opened(10, [])).waited_for


async def test_runs_that_are_held_up_go_on_one_at_a_time_oldest_first(ledger: Ledger, clock: FakeClock) -> None:
    job = await _job(ledger, Overlap.QUEUE, max_queued=3)
    [running] = (await _minute(ledger, clock, job)).started
    for _ in range(3):
        await _minute(ledger, clock, job)
    for expected in (await ledger.runs_of(job))[1:]:
        await ledger.record(ended(running))
        assert await _opened(ledger) == [queued(expected)]
        [running] = await ledger.starts.start(ME, [queued(expected)])


async def test_what_is_held_up_at_a_full_host_is_left_out(ledger: Ledger, clock: FakeClock) -> None:
    job = await _job(ledger, Overlap.QUEUE)
    [first] = (await _minute(ledger, clock, job)).started
    await _minute(ledger, clock, job)
    await ledger.record(ended(first))
    assert (await ledger.starts.opened(10, ["one.example:80"])).runs == []
    assert len(await _opened(ledger)) == 1


async def test_a_newer_run_takes_over_once_the_call_is_cut(ledger: Ledger, clock: FakeClock) -> None:
    job = await _job(ledger, Overlap.CANCEL_PREVIOUS)
    [first] = (await _minute(ledger, clock, job)).started
    assert (await _minute(ledger, clock, job)).started == []
    [old, new] = await ledger.runs_of(job)
    assert (old.state, old.cancel_reason) == ("running", f"overlap: run {new.id} took over")
    assert (new.state, new.waiting_for) == ("pending", f"job {job.uid}")
    assert await ledger.cancels.asked(ME) == {first.held}
    await ledger.record(cut_off(first))
    [old, _] = await ledger.runs_of(job)
    assert (old.state, old.reason) == ("canceled", f"overlap: run {new.id} took over")
    [started] = await ledger.starts.start(ME, await _opened(ledger))
    assert started.call.run_id == new.id


async def test_a_newer_run_ends_one_between_two_attempts_and_starts_at_once(ledger: Ledger, clock: FakeClock) -> None:
    job = await _job(ledger, Overlap.CANCEL_PREVIOUS, retry=Retry(min_backoff_seconds=600))
    [first] = (await _minute(ledger, clock, job)).started
    await ledger.record(ended(first, error="status: 500"))
    [second] = (await _minute(ledger, clock, job)).started
    [old, _] = await ledger.runs_of(job)
    reason = f"overlap: run {second.call.run_id} took over"
    assert (old.state, old.reason, old.finished_at, old.cancel_reason) == ("canceled", reason, clock.now(), None)


async def test_a_run_that_waits_to_take_over_is_taken_over_too(ledger: Ledger, clock: FakeClock) -> None:
    job = await _job(ledger, Overlap.CANCEL_PREVIOUS)
    for _ in range(3):
        await _minute(ledger, clock, job)
    [first, second, third] = await ledger.runs_of(job)
    assert (second.state, second.reason) == ("skipped", f"overlap: run {third.id} took over")
    assert (second.waiting_for, second.finished_at) == (None, clock.now())
    assert first.cancel_reason == f"overlap: run {second.id} took over"
    assert third.waiting_for == f"job {job.uid}"


async def test_a_manual_run_is_waited_for_and_not_canceled(ledger: Ledger, clock: FakeClock) -> None:
    job = await _job(ledger, Overlap.CANCEL_PREVIOUS)
    manual = await ledger.runs.trigger("job")
    await ledger.starts.start(ME, [queued(manual)])
    assert (await _minute(ledger, clock, job)).started == []
    [first, second] = await ledger.runs_of(job)
    assert (first.state, first.cancel_reason) == ("running", None)
    assert second.waiting_for == f"job {job.uid}"


async def test_what_is_caught_up_waits_for_the_job_and_is_never_skipped(ledger: Ledger, clock: FakeClock) -> None:
    job = await _job(ledger, Overlap.SKIP)
    clock.step(10 * MINUTE)
    [fresh, *_] = (await ledger.claim(clock.now(), job)).started
    [caught_up] = await _opened(ledger)
    assert await ledger.starts.start(ME, [caught_up]) == []
    run = next(run for run in await ledger.runs_of(job) if run.trigger == Trigger.CATCH_UP)
    assert (run.state, run.waiting_for) == ("pending", f"job {job.uid}")
    await ledger.record(ended(fresh))
    [started] = await ledger.starts.start(ME, await _opened(ledger))
    assert started.call.run_id == run.id


@pytest.mark.parametrize("overlap", [Overlap.SKIP, Overlap.QUEUE, Overlap.CANCEL_PREVIOUS])
async def test_of_two_runs_that_two_replicas_start_at_once_one_starts(
    ledger: Ledger, rival: Ledger, clock: FakeClock, overlap: Overlap
) -> None:
    job = await _job(ledger, overlap)
    first, second = await _two_pending(ledger, clock, job)
    both = await asyncio.gather(ledger.starts.start(ME, [first]), rival.starts.start(OTHER, [second]))
    assert sorted(len(started) for started in both) == [0, 1]
    assert states(await ledger.runs_of(job)).count("running") == 1


@pytest.mark.parametrize("overlap", [Overlap.SKIP, Overlap.QUEUE, Overlap.CANCEL_PREVIOUS])
async def test_a_start_that_waits_for_another_counts_it(
    contended: Ledger, rival: Ledger, clock: FakeClock, overlap: Overlap
) -> None:
    job = await _job(contended, overlap)
    first, second = await _two_pending(contended, clock, job)
    async with gate(contended.url, LAST_STEP) as held:
        one = asyncio.create_task(contended.starts.start(ME, [first]))
        await held.until_waiting(1)
        two = asyncio.create_task(rival.starts.start(OTHER, [second]))
        await held.until_waiting(2)
        await held.open()
        assert (len(await one), len(await two)) == (1, 0)
    assert states(await contended.runs_of(job))[0] == "running"


async def test_a_claim_that_waits_for_a_start_counts_it(contended: Ledger, rival: Ledger, clock: FakeClock) -> None:
    job = await _job(contended, Overlap.SKIP)
    await _minute(contended, clock, job, room=0)
    first = await contended.run_of(job)
    clock.step(MINUTE)
    candidate = await rival.candidate(job, clock.now())
    async with gate(contended.url, LAST_STEP) as held:
        starting = asyncio.create_task(contended.starts.start(ME, [queued(first)]))
        await held.until_waiting(1)
        claiming = asyncio.create_task(rival.claims.claim(OTHER, [candidate], room_for(1)))
        await held.until_waiting(2)
        await held.open()
        assert (len(await starting), len((await claiming).started)) == (1, 0)
    assert states(await contended.runs_of(job)) == ["running", "skipped"]


@pytest.mark.parametrize("overlap", [Overlap.SKIP, Overlap.QUEUE])
async def test_a_dead_replicas_run_goes_on_and_blocks_nothing_after_it(
    ledger: Ledger, clock: FakeClock, overlap: Overlap
) -> None:
    job = await _job(ledger, overlap)
    for replica in (ME, OTHER):
        await ledger.replicas.join(replica, "here")
    await _minute(ledger, clock, job)
    await ledger.replicas.leave(ME)
    assert len(await ledger.replicas.bury(LEASE)) == 1
    [again] = await ledger.starts.start(OTHER, [queued(await ledger.run_of(job))])
    await ledger.record(ended(again), replica=OTHER)
    clock.step(MINUTE)
    assert len((await ledger.claim(clock.now(), job, replica=OTHER)).started) == 1


async def test_a_lost_run_blocks_nothing(ledger: Ledger, clock: FakeClock) -> None:
    job = await _job(ledger, Overlap.QUEUE, delivery=Delivery.AT_MOST_ONCE)
    await ledger.replicas.join(ME, "here")
    await _minute(ledger, clock, job)
    await _minute(ledger, clock, job)
    assert await _opened(ledger) == []
    await ledger.replicas.leave(ME)
    await ledger.replicas.bury(LEASE)
    assert states(await ledger.runs_of(job)) == ["lost", "pending"]
    assert len(await ledger.starts.start(OTHER, await _opened(ledger))) == 1


@pytest.mark.parametrize("policies", [Policies(overlap=Overlap.ALLOW), Policies(concurrency_key="other")])
async def test_what_is_held_up_is_judged_anew_when_the_policies_change(
    ledger: Ledger, clock: FakeClock, policies: Policies
) -> None:
    job = await _job(ledger, Overlap.QUEUE)
    for _ in range(2):
        await _minute(ledger, clock, job)
    await ledger.patch("job", policies=policies)
    [found] = await ledger.starts.pending(10, [], timedelta(0))
    started = await ledger.starts.start(ME, [found])
    assert (len(started), states(await ledger.runs_of(job))[1]) == (
        (1, "running") if policies.overlap is Overlap.ALLOW else (0, "skipped")
    )


async def test_a_delete_ends_what_is_held_up(ledger: Ledger, clock: FakeClock) -> None:
    job = await _job(ledger, Overlap.QUEUE)
    for _ in range(2):
        await _minute(ledger, clock, job)
    await ledger.jobs.delete("job")
    [first, second] = await ledger.runs_of(job)
    assert (first.state, second.state, second.waiting_for) == ("running", "canceled", None)
    assert not (await ledger.starts.opened(10, [])).waited_for


async def test_a_run_that_is_over_and_not_recorded_yet_is_active_no_more(ledger: Ledger, clock: FakeClock) -> None:
    job = await _job(ledger, Overlap.SKIP)
    [first] = (await _minute(ledger, clock, job)).started
    clock.step(MINUTE)
    candidate = await ledger.candidate(job, clock.now())
    [second] = (await ledger.claims.claim(ME, [candidate], room_for(1), done={first.held})).started
    clock.step(MINUTE)
    candidate = await ledger.candidate(job, clock.now())
    [third] = (await ledger.claims.claim(ME, [candidate], room_for(0), done={first.held, second.held})).queued
    assert await ledger.starts.start(ME, [third], {(first.call.run_id, 2), second.held}) == []
    assert states(await ledger.runs_of(job)) == ["running", "running", "skipped"]


async def test_a_call_that_is_over_is_active_again_once_its_run_was_taken_over(
    ledger: Ledger, clock: FakeClock
) -> None:
    job = await _job(ledger, Overlap.SKIP)
    [first] = (await _minute(ledger, clock, job)).started
    await ledger.replicas.bury(LEASE)
    clock.step(MINUTE)
    candidate = await ledger.candidate(job, clock.now())
    assert (await ledger.claims.claim(ME, [candidate], room_for(1), done={first.held})).started == []
    assert states(await ledger.runs_of(job)) == ["pending", "skipped"]
