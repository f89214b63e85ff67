"""Runs of one job that start at once, and those of replicas that died."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from app.domain.claim import Starts
from app.domain.clock import FakeClock
from app.domain.policies import Delivery, Overlap, Policies
from tests.db.building import (
    ME,
    MINUTE,
    OTHER,
    Ledger,
    ended,
    queued,
    room_for,
    states,
)
from tests.db.locks import gate
from tests.db.overlapping import make_job, minute, open_runs, two_pending

LAST_STEP = "LOCK TABLE job_runs IN SHARE MODE"
LEASE = timedelta(seconds=30)


@pytest.mark.parametrize("overlap", [Overlap.SKIP, Overlap.QUEUE, Overlap.CANCEL_PREVIOUS])
async def test_of_two_runs_that_two_replicas_start_at_once_one_starts(
    ledger: Ledger, rival: Ledger, clock: FakeClock, overlap: Overlap
) -> None:
    job = await make_job(ledger, overlap)
    first, second = await two_pending(ledger, clock, job)
    both = await asyncio.gather(ledger.starts.start(ME, [first]), rival.starts.start(OTHER, [second]))
    assert sorted(len(starts.begun) for starts in both) == [0, 1]
    assert states(await ledger.runs_of(job)).count("running") == 1


@pytest.mark.parametrize("overlap", [Overlap.SKIP, Overlap.QUEUE, Overlap.CANCEL_PREVIOUS])
async def test_a_start_that_meets_another_counts_it_afterwards(
    contended: Ledger, rival: Ledger, clock: FakeClock, overlap: Overlap
) -> None:
    job = await make_job(contended, overlap)
    first, second = await two_pending(contended, clock, job)
    async with gate(contended.url, LAST_STEP) as held:
        one = asyncio.create_task(contended.starts.start(ME, [first]))
        await held.until_waiting(1)
        assert await rival.starts.start(OTHER, [second]) == Starts(busy=[second])
        await held.open()
        assert len((await one).begun) == 1
    assert await rival.starts.start(OTHER, [second]) == Starts()
    assert states(await contended.runs_of(job))[0] == "running"


async def test_a_claim_that_meets_a_start_counts_it_afterwards(
    contended: Ledger, rival: Ledger, clock: FakeClock
) -> None:
    job = await make_job(contended, Overlap.SKIP)
    await minute(contended, clock, job, room=0)
    first = await contended.run_of(job)
    clock.step(MINUTE)
    candidate = await rival.candidate(job, clock.now())
    async with gate(contended.url, LAST_STEP) as held:
        starting = asyncio.create_task(contended.starts.start(ME, [queued(first)]))
        await held.until_waiting(1)
        assert (await rival.claims.claim(OTHER, [candidate], room_for(1))).busy == [candidate]
        await held.open()
        assert len((await starting).begun) == 1
    assert (await rival.claims.claim(OTHER, [candidate], room_for(1))).started == []
    assert states(await contended.runs_of(job)) == ["running", "skipped"]


@pytest.mark.parametrize("overlap", [Overlap.SKIP, Overlap.QUEUE])
async def test_a_dead_replicas_run_goes_on_and_blocks_nothing_after_it(
    ledger: Ledger, clock: FakeClock, overlap: Overlap
) -> None:
    job = await make_job(ledger, overlap)
    for replica in (ME, OTHER):
        await ledger.replicas.join(replica, "here")
    await minute(ledger, clock, job)
    await ledger.replicas.leave(ME)
    assert len(await ledger.replicas.bury(LEASE)) == 1
    [again] = (await ledger.starts.start(OTHER, [queued(await ledger.run_of(job))])).begun
    await ledger.record(ended(again), replica=OTHER)
    clock.step(MINUTE)
    assert len((await ledger.claim(clock.now(), job, replica=OTHER)).started) == 1


async def test_a_lost_run_blocks_nothing(ledger: Ledger, clock: FakeClock) -> None:
    job = await make_job(ledger, Overlap.QUEUE, delivery=Delivery.AT_MOST_ONCE)
    await ledger.replicas.join(ME, "here")
    await minute(ledger, clock, job)
    await minute(ledger, clock, job)
    assert await open_runs(ledger) == []
    await ledger.replicas.leave(ME)
    await ledger.replicas.bury(LEASE)
    assert states(await ledger.runs_of(job)) == ["lost", "pending"]
    assert len((await ledger.starts.start(OTHER, await open_runs(ledger))).begun) == 1


@pytest.mark.parametrize("policies", [Policies(overlap=Overlap.ALLOW), Policies(concurrency_key="other")])
async def test_what_is_held_up_is_judged_anew_when_the_policies_change(
    ledger: Ledger, clock: FakeClock, policies: Policies
) -> None:
    job = await make_job(ledger, Overlap.QUEUE)
    for _ in range(2):
        await minute(ledger, clock, job)
    await ledger.patch("job", policies=policies)
    [found] = await ledger.starts.pending(10, [], timedelta(0))
    started = (await ledger.starts.start(ME, [found])).begun
    assert (len(started), states(await ledger.runs_of(job))[1]) == (
        (1, "running") if policies.overlap is Overlap.ALLOW else (0, "skipped")
    )


async def test_a_delete_ends_what_is_held_up(ledger: Ledger, clock: FakeClock) -> None:
    job = await make_job(ledger, Overlap.QUEUE)
    for _ in range(2):
        await minute(ledger, clock, job)
    await ledger.jobs.delete("job")
    [first, second] = await ledger.runs_of(job)
    assert (first.state, second.state, second.waiting_for) == ("running", "canceled", None)
    assert not (await ledger.starts.opened(10, [])).waited_for


async def test_a_run_that_is_over_and_not_recorded_yet_is_active_no_more(ledger: Ledger, clock: FakeClock) -> None:
    job = await make_job(ledger, Overlap.SKIP)
    [first] = (await minute(ledger, clock, job)).started
    clock.step(MINUTE)
    candidate = await ledger.candidate(job, clock.now())
    [second] = (await ledger.claims.claim(ME, [candidate], room_for(1), done={first.held})).started
    clock.step(MINUTE)
    candidate = await ledger.candidate(job, clock.now())
    [third] = (await ledger.claims.claim(ME, [candidate], room_for(0), done={first.held, second.held})).queued
    assert (await ledger.starts.start(ME, [third], {(first.call.run_id, 2), second.held})).begun == []
    assert states(await ledger.runs_of(job)) == ["running", "running", "skipped"]


async def test_a_call_that_is_over_is_active_again_once_its_run_was_taken_over(
    ledger: Ledger, clock: FakeClock
) -> None:
    job = await make_job(ledger, Overlap.SKIP)
    [first] = (await minute(ledger, clock, job)).started
    await ledger.replicas.bury(LEASE)
    clock.step(MINUTE)
    candidate = await ledger.candidate(job, clock.now())
    assert (await ledger.claims.claim(ME, [candidate], room_for(1), done={first.held})).started == []
    assert states(await ledger.runs_of(job)) == ["pending", "skipped"]
