"""Runs of one job against each other, wherever they start."""

from __future__ import annotations

from datetime import timedelta

from app.domain.clock import FakeClock
from app.domain.policies import Overlap
from app.domain.retry import Retry
from app.domain.run import Trigger
from tests.db.building import (
    ME,
    MINUTE,
    NOON,
    SECOND,
    Ledger,
    cut_off,
    ended,
    queued,
    states,
)
from tests.db.overlapping import make_job, minute, open_runs, two_pending

DUE = NOON + MINUTE


async def test_a_scheduled_run_is_skipped_while_another_is_active(ledger: Ledger, clock: FakeClock) -> None:
    job = await make_job(ledger, Overlap.SKIP)
    [first] = (await minute(ledger, clock, job)).started
    claims = await minute(ledger, clock, job)
    assert (claims.started, claims.queued) == ([], [])
    [_, second] = await ledger.runs_of(job)
    assert (second.state, second.reason) == ("skipped", f"overlap: run {first.call.run_id} is active")
    assert (second.attempt, second.owner, second.waiting_for) == (0, None, None)
    assert (await ledger.row_of(job)).next_run == DUE + 2 * MINUTE
    await ledger.record(ended(first))
    assert len((await minute(ledger, clock, job)).started) == 1


async def test_a_run_between_two_attempts_is_active(ledger: Ledger, clock: FakeClock) -> None:
    job = await make_job(ledger, Overlap.SKIP, retry=Retry(min_backoff_seconds=600))
    [first] = (await minute(ledger, clock, job)).started
    await ledger.record(ended(first, error="status: 500"))
    await minute(ledger, clock, job)
    assert states(await ledger.runs_of(job)) == ["pending", "skipped"]
    clock.step(60 * MINUTE)
    [again] = (await ledger.starts.start(ME, [queued((await ledger.runs_of(job))[0])])).begun
    assert again.call.attempt == 2


async def test_a_pending_run_is_skipped_when_its_turn_comes(ledger: Ledger, clock: FakeClock) -> None:
    job = await make_job(ledger, Overlap.SKIP)
    runs = await two_pending(ledger, clock, job)
    [started] = (await ledger.starts.start(ME, runs)).begun
    [first, second] = await ledger.runs_of(job)
    assert started.call.run_id == first.id
    assert (second.state, second.reason) == ("skipped", f"overlap: run {first.id} is active")
    assert second.finished_at == clock.now()
    assert (second.attempt, second.fence) == (0, 0)


async def test_overlap_is_allowed(ledger: Ledger, clock: FakeClock) -> None:
    job = await make_job(ledger, Overlap.ALLOW)
    for _ in range(3):
        assert len((await minute(ledger, clock, job)).started) == 1
    assert states(await ledger.runs_of(job)) == ["running"] * 3


async def test_a_manual_run_ignores_overlap_and_counts_for_scheduled_ones(ledger: Ledger, clock: FakeClock) -> None:
    job = await make_job(ledger, Overlap.SKIP)
    [first] = (await minute(ledger, clock, job)).started
    clock.step(SECOND)
    manual = await ledger.runs.trigger("job")
    assert len((await ledger.starts.start(ME, [queued(manual)])).begun) == 1
    await ledger.record(ended(first))
    await ledger.claim(clock.now() + MINUTE, job)
    clock.step(MINUTE - SECOND)
    await ledger.claim(clock.now(), job)
    [*_, last] = await ledger.runs_of(job)
    assert (last.state, last.reason) == ("skipped", f"overlap: run {manual.id} is active")


async def test_one_waits_in_the_queue_and_the_next_is_skipped(ledger: Ledger, clock: FakeClock) -> None:
    job = await make_job(ledger, Overlap.QUEUE)
    [first] = (await minute(ledger, clock, job)).started
    for _ in range(2):
        claims = await minute(ledger, clock, job)
        assert (claims.started, claims.queued) == ([], [])
    [_, second, third] = await ledger.runs_of(job)
    assert (second.state, second.waiting_for) == ("pending", f"job {job.uid}")
    assert (third.state, third.reason) == ("skipped", "overlap: 1 runs wait already")
    assert await ledger.starts.pending(10, [], timedelta(0)) == []
    assert (await ledger.starts.opened(10, [])).waited_for
    assert await open_runs(ledger) == []
    await ledger.record(ended(first))
    assert await open_runs(ledger) == [queued(second)]
    [started] = (await ledger.starts.start(ME, [queued(second)])).begun
    assert started.call.run_id == second.id
    assert (await ledger.runs_of(job))[1].waiting_for is None
    assert not (await ledger.starts.opened(10, [])).waited_for


async def test_runs_that_are_held_up_go_on_one_at_a_time_oldest_first(ledger: Ledger, clock: FakeClock) -> None:
    job = await make_job(ledger, Overlap.QUEUE, max_queued=3)
    [running] = (await minute(ledger, clock, job)).started
    for _ in range(3):
        await minute(ledger, clock, job)
    for expected in (await ledger.runs_of(job))[1:]:
        await ledger.record(ended(running))
        assert await open_runs(ledger) == [queued(expected)]
        [running] = (await ledger.starts.start(ME, [queued(expected)])).begun


async def test_what_is_held_up_at_a_full_host_is_left_out(ledger: Ledger, clock: FakeClock) -> None:
    job = await make_job(ledger, Overlap.QUEUE)
    [first] = (await minute(ledger, clock, job)).started
    await minute(ledger, clock, job)
    await ledger.record(ended(first))
    assert (await ledger.starts.opened(10, ["one.example:80"])).runs == []
    assert len(await open_runs(ledger)) == 1


async def test_a_newer_run_takes_over_once_the_call_is_cut(ledger: Ledger, clock: FakeClock) -> None:
    job = await make_job(ledger, Overlap.CANCEL_PREVIOUS)
    [first] = (await minute(ledger, clock, job)).started
    assert (await minute(ledger, clock, job)).started == []
    [old, new] = await ledger.runs_of(job)
    assert (old.state, old.cancel_reason) == ("running", f"overlap: run {new.id} took over")
    assert (new.state, new.waiting_for) == ("pending", f"job {job.uid}")
    assert await ledger.cancels.asked(ME) == {first.held}
    await ledger.record(cut_off(first))
    [old, _] = await ledger.runs_of(job)
    assert (old.state, old.reason) == ("canceled", f"overlap: run {new.id} took over")
    [started] = (await ledger.starts.start(ME, await open_runs(ledger))).begun
    assert started.call.run_id == new.id


async def test_a_newer_run_ends_one_between_two_attempts_and_starts_at_once(ledger: Ledger, clock: FakeClock) -> None:
    job = await make_job(ledger, Overlap.CANCEL_PREVIOUS, retry=Retry(min_backoff_seconds=600))
    [first] = (await minute(ledger, clock, job)).started
    await ledger.record(ended(first, error="status: 500"))
    [second] = (await minute(ledger, clock, job)).started
    [old, _] = await ledger.runs_of(job)
    reason = f"overlap: run {second.call.run_id} took over"
    assert (old.state, old.reason, old.finished_at, old.cancel_reason) == ("canceled", reason, clock.now(), None)


async def test_a_run_that_waits_to_take_over_is_taken_over_too(ledger: Ledger, clock: FakeClock) -> None:
    job = await make_job(ledger, Overlap.CANCEL_PREVIOUS)
    for _ in range(3):
        await minute(ledger, clock, job)
    [first, second, third] = await ledger.runs_of(job)
    assert (second.state, second.reason) == ("skipped", f"overlap: run {third.id} took over")
    assert (second.waiting_for, second.finished_at) == (None, clock.now())
    assert first.cancel_reason == f"overlap: run {second.id} took over"
    assert third.waiting_for == f"job {job.uid}"


async def test_a_manual_run_is_waited_for_and_not_canceled(ledger: Ledger, clock: FakeClock) -> None:
    job = await make_job(ledger, Overlap.CANCEL_PREVIOUS)
    manual = await ledger.runs.trigger("job")
    await ledger.starts.start(ME, [queued(manual)])
    assert (await minute(ledger, clock, job)).started == []
    [first, second] = await ledger.runs_of(job)
    assert (first.state, first.cancel_reason) == ("running", None)
    assert second.waiting_for == f"job {job.uid}"


async def test_what_is_caught_up_waits_for_the_job_and_is_never_skipped(ledger: Ledger, clock: FakeClock) -> None:
    job = await make_job(ledger, Overlap.SKIP)
    clock.step(10 * MINUTE)
    [fresh, *_] = (await ledger.claim(clock.now(), job)).started
    [caught_up] = await open_runs(ledger)
    assert (await ledger.starts.start(ME, [caught_up])).begun == []
    run = next(run for run in await ledger.runs_of(job) if run.trigger == Trigger.CATCH_UP)
    assert (run.state, run.waiting_for) == ("pending", f"job {job.uid}")
    await ledger.record(ended(fresh))
    [started] = (await ledger.starts.start(ME, await open_runs(ledger))).begun
    assert started.call.run_id == run.id
