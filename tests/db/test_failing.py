"""Failures in a row are counted as runs end, and a job that has as many as it may pauses itself."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from app.domain.claim import Paused
from app.domain.clock import FakeClock
from app.domain.job import PersistedJob
from app.domain.policies import Delivery, Overlap, Policies
from app.domain.retry import Retry
from app.domain.run import Trigger
from tests.db.building import ME, MINUTE, ONCE, SECOND, Ledger, cut_off, ended, queued, states
from tests.db.locks import gate

THREE = replace(ONCE, pause_after_failures=3)


async def _run(ledger: Ledger, clock: FakeClock, job: PersistedJob, error: str | None = "status 503") -> bool:
    """The next run; say whether the store says that the job fails too often."""
    clock.step(MINUTE)
    started = await ledger.running(clock.now(), job)
    return (await ledger.records.record(ME, [ended(started, error=error)])).failing


async def _failures(ledger: Ledger, job: PersistedJob) -> int:
    failures: int = (await ledger.row_of(job)).failures_in_a_row
    return failures


async def test_failed_runs_are_counted_and_a_success_ends_the_row(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(policies=ONCE)
    counts = []
    for error in ("status 503", "status 400", None, "timeout after 1 s"):
        await _run(ledger, clock, job, error)
        counts.append(await _failures(ledger, job))
    assert counts == [1, 2, 0, 1]


async def test_an_attempt_that_is_tried_again_is_no_failed_run(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(policies=Policies(retry=Retry(max_attempts=2)))
    await _run(ledger, clock, job)
    assert await _failures(ledger, job) == 0
    clock.step(MINUTE)
    [again] = (await ledger.starts.start(ME, [queued((await ledger.runs_of(job))[0])])).begun
    await ledger.record(ended(again, error="status 503"))
    assert await _failures(ledger, job) == 1


async def test_a_run_that_is_lost_counts_and_one_that_is_made_again_does_not(ledger: Ledger, clock: FakeClock) -> None:
    lost = await ledger.create("lost", policies=Policies(delivery=Delivery.AT_MOST_ONCE))
    made = await ledger.create("made")
    clock.step(MINUTE)
    await ledger.record(*[cut_off(await ledger.running(clock.now(), job)) for job in (lost, made)])
    assert [await _failures(ledger, job) for job in (lost, made)] == [1, 0]


@pytest.mark.parametrize("trigger", list(Trigger))
async def test_what_people_start_by_hand_makes_no_row_longer(
    ledger: Ledger, clock: FakeClock, trigger: Trigger
) -> None:
    job = await ledger.create(policies=ONCE)
    await _run(ledger, clock, job)
    clock.step(MINUTE)
    started = await ledger.running(clock.now(), job)
    started = replace(started, call=replace(started.call, trigger=trigger))
    await ledger.record(ended(started, error="status 503"))
    assert await _failures(ledger, job) == (2 if trigger in {Trigger.SCHEDULE, Trigger.CATCH_UP} else 1)


async def test_a_batch_is_counted_run_by_run(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(policies=replace(THREE, overlap=Overlap.ALLOW))
    runs = []
    for _ in range(5):
        clock.step(MINUTE)
        runs.append(await ledger.running(clock.now(), job))
    errors = ["status 503", None, "status 503", "status 503", "status 503"]
    recorded = await ledger.records.record(ME, [ended(run, error=e) for run, e in zip(runs, errors, strict=True)])
    assert (await _failures(ledger, job), recorded.failing) == (3, True)


async def test_a_job_that_failed_as_often_as_it_may_is_paused(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(policies=THREE)
    assert [await _run(ledger, clock, job) for _ in range(3)] == [False, False, True]
    assert await ledger.failing.pause_failing() == Paused([job.id])
    row = await ledger.row_of(job)
    assert (row.enabled, row.next_run, row.pause_note, row.version) == (False, None, "paused after 3 failed runs", 2)
    [span] = await ledger.spans_of(job)
    assert (span.after, span.until, span.reason, span.note) == (
        clock.now(),
        None,
        "paused",
        "paused after 3 failed runs",
    )
    assert [version.version for version in await ledger.versions_of(job)] == [1, 2]
    assert await ledger.failing.pause_failing() == Paused()


async def test_what_was_due_when_it_paused_is_still_made(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(policies=THREE)
    for _ in range(3):
        await _run(ledger, clock, job)
    clock.step(MINUTE)
    paused = await ledger.failing.pause_failing()
    assert (paused.jobs, [run.ledger_at for run in paused.queued]) == ([job.id], [clock.now()])
    assert states(await ledger.runs_of(job)) == ["failed"] * 3 + ["pending"]


async def test_a_pause_that_was_not_made_is_made_by_the_next_who_looks(ledger: Ledger, clock: FakeClock) -> None:
    """The replica died between the failure and the pause."""
    job = await ledger.create(policies=THREE)
    for _ in range(4):
        await _run(ledger, clock, job)
    assert (await ledger.failing.pause_failing()).jobs == [job.id]
    assert (await ledger.row_of(job)).pause_note == "paused after 4 failed runs"


async def test_nothing_is_paused_without_a_limit_or_below_it_or_after_a_success(
    ledger: Ledger, clock: FakeClock
) -> None:
    jobs = {
        name: await ledger.create(name, policies=policies)
        for name, policies in (("no limit", ONCE), ("below", THREE), ("success", replace(ONCE, pause_after_failures=1)))
    }
    clock.step(MINUTE)
    started = (await ledger.claim(clock.now(), *jobs.values())).started
    await ledger.record(*[ended(run, error="status 503") for run in started])
    clock.step(MINUTE)
    await ledger.record(ended(await ledger.running(clock.now(), jobs["success"])))
    assert await ledger.failing.pause_failing() == Paused()


async def test_a_success_while_the_job_is_about_to_be_paused_keeps_it_going(
    contended: Ledger, rival: Ledger, clock: FakeClock
) -> None:
    job = await contended.create(policies=replace(ONCE, pause_after_failures=1))
    await _run(contended, clock, job)
    clock.step(MINUTE)
    started = await contended.running(clock.now(), job)
    async with gate(contended.url, "SELECT FROM cron_jobs WHERE enabled AND failures_in_a_row > 0 FOR UPDATE") as held:
        assert (await contended.records.record(ME, [ended(started)])).busy == [ended(started)]
        assert await rival.failing.pause_failing() == Paused(busy=True)
        await held.open()
    await contended.record(ended(started))
    assert await rival.failing.pause_failing() == Paused()
    assert (await contended.row_of(job)).enabled


async def test_two_replicas_pause_a_job_once(ledger: Ledger, rival: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(policies=replace(ONCE, pause_after_failures=1))
    await _run(ledger, clock, job)
    both = await asyncio.gather(ledger.failing.pause_failing(), rival.failing.pause_failing())
    assert sorted(paused.jobs for paused in both) == [[], [job.id]]
    assert (await ledger.row_of(job)).version == 2
    assert len(await ledger.spans_of(job)) == 1


async def test_resuming_forgets_the_failures(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(policies=replace(ONCE, pause_after_failures=1))
    await _run(ledger, clock, job)
    await ledger.failing.pause_failing()
    clock.step(10 * SECOND)
    resumed = await ledger.jobs.set_enabled("job", enabled=True)
    assert (resumed.failures_in_a_row, resumed.pause_note) == (0, None)
    assert await ledger.failing.pause_failing() == Paused()


async def test_a_job_that_is_stopped_by_the_switch_is_left_until_it_goes_on(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(policies=replace(ONCE, pause_after_failures=1))
    await _run(ledger, clock, job)
    await ledger.switch.pause()
    assert await ledger.failing.pause_failing() == Paused()
    await ledger.switch.resume()
    assert await ledger.failing.pause_failing() == Paused([job.id])


async def test_a_job_that_cannot_be_paused_keeps_none_of_the_others_going(ledger: Ledger, clock: FakeClock) -> None:
    jobs = [await ledger.create(name, policies=replace(ONCE, pause_after_failures=1)) for name in ("bad", "good")]
    clock.step(MINUTE)
    started = (await ledger.claim(clock.now(), *jobs)).started
    await ledger.record(*[ended(run, error="status 503") for run in started])
    await ledger.overwrite(jobs[0], policies={"pause_after_failures": 1, "overlap": "no overlap"})
    assert await ledger.failing.pause_failing() == Paused([jobs[1].id])
