"""What becomes of a run that failed or was cut off: the next attempt stands in its row, for any replica."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from app.db.tables import job_runs
from app.domain.claim import Finished, Queued, Recorded, Started
from app.domain.clock import FakeClock
from app.domain.job import PersistedJob
from app.domain.policies import Delivery, Policies
from app.domain.retry import Retry
from app.domain.run import Outcome
from tests.db.building import ME, MINUTE, NOON, OTHER, SECOND, Ledger, cut_off, ended, opened, queued

DUE = NOON + MINUTE
EVEN = Policies(retry=Retry(jitter=False))


async def _begun(ledger: Ledger, clock: FakeClock, policies: Policies = EVEN) -> tuple[PersistedJob, Started]:
    job = await ledger.create(policies=policies)
    clock.step(MINUTE)
    return job, await ledger.running(DUE, job)


async def _record(ledger: Ledger, *finished: Finished) -> Recorded:
    return await ledger.records.record(ME, finished)


async def _again(ledger: Ledger, job: PersistedJob) -> Sequence[Started]:
    """Whoever tries to start the run now."""
    return (await ledger.starts.start(OTHER, [queued(await ledger.run_of(job))])).begun


async def _set(ledger: Ledger, started: Started, **values: Any) -> None:
    async with ledger.database.begin() as connection:
        await connection.execute(update(job_runs).where(job_runs.c.id == started.call.run_id).values(values))


async def test_a_failure_that_is_covered_waits_in_the_ledger_for_its_next_attempt(
    ledger: Ledger, clock: FakeClock
) -> None:
    job, started = await _begun(ledger, clock)
    recorded = await _record(ledger, ended(started, error="status 503", excerpt="busy"))
    run = await ledger.run_of(job)
    due = DUE + 6 * SECOND
    assert (run.state, run.reason, run.due_at, run.owner) == ("pending", None, due, None)
    assert (run.attempt, run.fence, run.failures, run.started_at, run.finished_at) == (1, 1, 1, DUE, None)
    assert (run.error, run.status_code, run.response_excerpt) == ("status 503", 500, "busy")
    assert recorded.states == {run.id: "pending"}
    assert recorded.queued == [Queued(run.id, run.ledger_at, "one.example:80", due)]


async def test_the_jobs_error_is_the_runs_while_attempts_are_to_come(ledger: Ledger, clock: FakeClock) -> None:
    job, started = await _begun(ledger, clock)
    await _record(ledger, ended(started, error="status 503"))
    row = await ledger.row_of(job)
    assert (row.last_run, row.last_error, row.failures_in_a_row) == (DUE, "status 503", 0)


async def test_any_replica_starts_it_when_it_is_due_and_not_before_with_the_same_key(
    ledger: Ledger, clock: FakeClock
) -> None:
    job, started = await _begun(ledger, clock)
    await _record(ledger, ended(started, error="status 503"))
    clock.step(5.9 * SECOND)
    assert await _again(ledger, job) == []
    clock.step(0.1 * SECOND)
    [second] = await _again(ledger, job)
    assert (second.call.run_id, second.call.attempt, second.fence) == (started.call.run_id, 2, 2)
    assert (second.failures, second.first_started_at) == (1, DUE)
    run = await ledger.run_of(job)
    assert (run.state, run.owner, run.error, run.status_code) == ("running", OTHER, None, None)


async def test_the_next_attempt_survives_every_process(database_url: str, clock: FakeClock) -> None:
    async with opened(database_url, clock) as first:
        job, started = await _begun(first, clock)
        await _record(first, ended(started, error="status 503"))
    clock.step(6 * SECOND)
    async with opened(database_url, clock) as second:
        [again] = await _again(second, job)
        assert again.call.run_id == started.call.run_id


async def test_attempts_go_on_until_the_policy_has_none_left(ledger: Ledger, clock: FakeClock) -> None:
    job, started = await _begun(ledger, clock)
    due = []
    for _ in range(2):
        await _record(ledger, ended(started, error="status 503", began=clock.now()))
        due.append((await ledger.run_of(job)).due_at - clock.now())
        clock.step(MINUTE)
        [started] = (await ledger.starts.start(ME, [queued(await ledger.run_of(job))])).begun
    recorded = await _record(ledger, ended(started, error="status 503", began=clock.now()))
    run = await ledger.run_of(job)
    assert due == [6 * SECOND, 11 * SECOND]
    assert (run.state, run.reason, run.attempt, run.failures, run.started_at) == ("failed", None, 3, 3, DUE)
    assert (run.finished_at, recorded.queued) == (clock.now() + SECOND, [])


async def test_an_attempt_that_was_cut_off_is_not_counted(ledger: Ledger, clock: FakeClock) -> None:
    job, started = await _begun(ledger, clock, replace(EVEN, retry=Retry(max_attempts=2, jitter=False)))
    recorded = await _record(ledger, cut_off(started))
    assert recorded.queued == [Queued(started.call.run_id, DUE, "one.example:80", None)]
    [second] = (await ledger.starts.start(ME, [queued(await ledger.run_of(job))])).begun
    await _record(ledger, ended(second, error="status 503"))
    run = await ledger.run_of(job)
    assert (run.state, run.attempt, run.failures) == ("pending", 2, 1)


async def test_what_the_target_asks_for_is_obeyed(ledger: Ledger, clock: FakeClock) -> None:
    job, started = await _begun(ledger, clock)
    asked = Outcome(error="status 429", status_code=429, retry_after=timedelta(minutes=10))
    await _record(ledger, Finished(started, asked, DUE, DUE + SECOND))
    assert (await ledger.run_of(job)).due_at == DUE + SECOND + timedelta(minutes=10)


async def test_the_policy_that_holds_is_the_one_of_the_attempts_start(ledger: Ledger, clock: FakeClock) -> None:
    job, started = await _begun(ledger, clock)
    await ledger.patch("job", policies=Policies(retry=Retry(max_attempts=1)))
    await _record(ledger, ended(started, error="status 503"))
    assert (await ledger.run_of(job)).state == "pending"
    clock.step(MINUTE)
    runs = await ledger.runs_of(job)
    [second] = (await ledger.starts.start(ME, [queued(runs[0])])).begun
    await _record(ledger, ended(second, error="status 503"))
    assert (await ledger.runs_of(job))[0].state == "failed"


async def test_the_next_attempt_is_for_the_host_that_the_job_calls_by_now(ledger: Ledger, clock: FakeClock) -> None:
    _, started = await _begun(ledger, clock)
    await ledger.patch("job", endpoint="http://two.example/hook")
    recorded = await _record(ledger, ended(started, error="status 503"))
    assert [run.host for run in recorded.queued] == ["two.example:80"]


async def test_no_attempt_is_made_that_would_be_due_after_the_deadline(ledger: Ledger, clock: FakeClock) -> None:
    job, started = await _begun(ledger, clock, replace(EVEN, deadline_seconds=6))
    assert started.deadline_at == DUE + 6 * SECOND
    await _record(ledger, ended(started, error="status 503"))
    run = await ledger.run_of(job)
    assert (run.state, run.reason, run.error) == ("failed", "deadline", "status 503")


async def test_the_deadline_holds_for_all_attempts_together(ledger: Ledger, clock: FakeClock) -> None:
    job, started = await _begun(ledger, clock, replace(EVEN, deadline_seconds=16))
    await _record(ledger, ended(started, error="status 503"))
    clock.step(6 * SECOND)
    [second] = (await ledger.starts.start(ME, [queued(await ledger.run_of(job))])).begun
    assert second.deadline_at == DUE + 16 * SECOND
    await _record(ledger, ended(second, error="status 503"))
    run = await ledger.run_of(job)
    assert (run.state, run.reason, run.attempt) == ("failed", "deadline", 2)


async def test_no_attempt_is_due_after_max_duration(ledger: Ledger, clock: FakeClock) -> None:
    job, started = await _begun(ledger, clock, Policies(retry=Retry(jitter=False, max_duration_seconds=16)))
    await _record(ledger, ended(started, error="status 503"))
    clock.step(6 * SECOND)
    [second] = (await ledger.starts.start(ME, [queued(await ledger.run_of(job))])).begun
    await _record(ledger, ended(second, error="status 503"))
    run = await ledger.run_of(job)
    assert (run.state, run.reason, run.attempt) == ("failed", None, 2)


async def test_a_cut_off_call_that_may_be_made_once_is_lost(ledger: Ledger, clock: FakeClock) -> None:
    job, started = await _begun(ledger, clock, Policies(delivery=Delivery.AT_MOST_ONCE))
    recorded = await _record(ledger, cut_off(started))
    run = await ledger.run_of(job)
    assert (run.state, run.reason, run.finished_at) == ("lost", "cut off", DUE + SECOND)
    row = await ledger.row_of(job)
    assert (row.last_run, row.last_error, row.failures_in_a_row) == (DUE, "cut off", 1)
    assert recorded.queued == []


@pytest.mark.parametrize("outcome", ["cut off", "failed", "succeeded"])
async def test_a_cancel_that_was_asked_for_ends_the_run_unless_it_succeeded(
    ledger: Ledger, clock: FakeClock, outcome: str
) -> None:
    job, started = await _begun(ledger, clock)
    await _set(ledger, started, cancel_reason="overlap: run 7 took over")
    error = "status 503" if outcome == "failed" else None
    await _record(ledger, cut_off(started) if outcome == "cut off" else ended(started, error=error))
    run = await ledger.run_of(job)
    canceled = ("canceled", "overlap: run 7 took over")
    assert (run.state, run.reason) == (("succeeded", None) if outcome == "succeeded" else canceled)
    assert run.finished_at == DUE + SECOND
    assert (await ledger.row_of(job)).failures_in_a_row == 0


async def test_nothing_is_tried_again_for_a_job_that_is_deleted(ledger: Ledger, clock: FakeClock) -> None:
    job, started = await _begun(ledger, clock)
    await ledger.jobs.delete("job")
    recorded = await _record(ledger, ended(started, error="status 503"))
    assert ((await ledger.run_of(job)).state, recorded.queued) == ("failed", [])


async def test_retries_of_a_batch_are_told_each_with_its_time(ledger: Ledger, clock: FakeClock) -> None:
    jobs = [await ledger.create(name, policies=EVEN) for name in ("a", "b", "c")]
    clock.step(MINUTE)
    a, b, c = (await ledger.claim(DUE, *jobs)).started
    finished = ended(a, error="status 503"), ended(b), ended(c, error="status 503", took=2 * SECOND)
    recorded = await _record(ledger, *finished)
    assert {run.run_id: run.due_at for run in recorded.queued} == {
        a.call.run_id: DUE + 6 * SECOND,
        c.call.run_id: DUE + 7 * SECOND,
    }
    assert set(recorded.states.values()) == {"pending", "succeeded"}
