"""What a recorded call makes of its run."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from sqlalchemy import event

from app.db.tables import cron_jobs, job_runs
from app.domain.claim import Started
from app.domain.clock import FakeClock
from app.domain.job import PersistedJob
from app.domain.policies import Overlap, Policies
from tests.db.building import (
    ME,
    MINUTE,
    NOON,
    ONCE,
    OTHER,
    SECOND,
    Ledger,
    cut_off,
    ended,
    queued,
    roomy,
    states,
)
from tests.db.locks import gate

DUE = NOON + MINUTE
MANY = Policies(overlap=Overlap.ALLOW)


@pytest.fixture
async def job(ledger: Ledger, clock: FakeClock) -> PersistedJob:
    """Due just now."""
    job = await ledger.create()
    clock.step(MINUTE)
    return job


async def test_a_success_is_recorded(ledger: Ledger, job: PersistedJob) -> None:
    started = await ledger.running(DUE, job)
    finished = ended(started, began=DUE + SECOND, took=2 * SECOND)
    assert await ledger.record(finished) == {started.call.run_id}
    run = await ledger.run_of(job)
    assert (run.state, run.status_code, run.error, run.reason) == ("succeeded", 200, None, None)
    assert (run.started_at, run.finished_at) == (DUE + SECOND, DUE + 3 * SECOND)
    assert (run.owner, run.fence, run.attempt) == (ME, 1, 1)


async def test_a_failure_is_recorded(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(policies=ONCE)
    clock.step(MINUTE)
    started = await ledger.running(DUE, job)
    await ledger.record(ended(started, error="status: 500", excerpt="oh, ünlaut \U0001f980"))
    run = await ledger.run_of(job)
    assert (run.state, run.status_code, run.error) == ("failed", 500, "status: 500")
    assert run.response_excerpt == "oh, ünlaut \U0001f980"


async def test_another_fence_is_discarded(ledger: Ledger, job: PersistedJob) -> None:
    first = await ledger.running(DUE, job)
    await ledger.record(cut_off(first))
    [second] = (await ledger.starts.start(ME, [queued(await ledger.run_of(job))])).begun
    before = await ledger.run_of(job)
    assert await ledger.record(ended(first)) == set()
    assert await ledger.run_of(job) == before
    assert (await ledger.row_of(job)).last_run is None
    assert await ledger.record(ended(second)) == {second.call.run_id}


async def test_of_two_starts_in_one_batch_the_last_counts(ledger: Ledger, job: PersistedJob) -> None:
    first = await ledger.running(DUE, job)
    await ledger.record(cut_off(first))
    [second] = (await ledger.starts.start(ME, [queued(await ledger.run_of(job))])).begun
    await ledger.record(ended(second), ended(first, error="too late"))
    run, row = await ledger.run_of(job), await ledger.row_of(job)
    assert (run.state, run.error, row.last_error) == ("succeeded", None, None)


async def test_another_owner_is_discarded(ledger: Ledger, job: PersistedJob) -> None:
    started = await ledger.running(DUE, job)
    before = await ledger.run_of(job)
    assert await ledger.record(ended(started), replica=OTHER) == set()
    assert await ledger.run_of(job) == before
    assert (await ledger.row_of(job)).last_success is None


async def test_a_run_that_has_ended_is_not_recorded_again(ledger: Ledger, job: PersistedJob) -> None:
    started = await ledger.running(DUE, job)
    await ledger.record(ended(started))
    assert await ledger.record(ended(started, error="status: 500")) == set()
    assert states(await ledger.runs_of(job)) == ["succeeded"]


async def test_what_is_discarded_holds_up_nothing_else(ledger: Ledger, clock: FakeClock) -> None:
    jobs = [await ledger.create(name) for name in ("a", "b")]
    clock.step(MINUTE)
    [mine, stale] = (await ledger.claim(DUE, *jobs)).started
    stale = replace(stale, fence=7)
    assert await ledger.record(ended(mine), ended(stale)) == {mine.call.run_id}
    assert states([await ledger.run_of(job) for job in jobs]) == ["succeeded", "running"]
    assert (await ledger.row_of(jobs[1])).last_run is None


async def test_recording_touches_neither_version_nor_updated_at(ledger: Ledger, job: PersistedJob) -> None:
    before = await ledger.row_of(job)
    await ledger.record(ended(await ledger.running(DUE, job)))
    after = await ledger.row_of(job)
    assert (after.version, after.updated_at, after.next_run) == (before.version, before.updated_at, DUE + MINUTE)


async def test_a_call_that_was_cut_off_is_pending_again(ledger: Ledger, job: PersistedJob, clock: FakeClock) -> None:
    started = await ledger.running(DUE, job)
    clock.step(3 * SECOND)
    assert await ledger.record(cut_off(started)) == {started.call.run_id}
    run = await ledger.run_of(job)
    assert (run.state, run.owner, run.error, run.due_at) == ("pending", None, "cut off", DUE + 3 * SECOND)
    assert (run.attempt, run.fence, run.finished_at) == (1, 1, None)
    row = await ledger.row_of(job)
    assert (row.last_run, row.last_error) == (None, None)


async def test_the_first_attempts_start_stays_the_runs_start(
    ledger: Ledger, job: PersistedJob, clock: FakeClock
) -> None:
    first = await ledger.running(DUE, job)
    await ledger.record(cut_off(first))
    clock.step(MINUTE)
    [second] = (await ledger.starts.start(ME, [queued(await ledger.run_of(job))])).begun
    await ledger.record(ended(second))
    run = await ledger.run_of(job)
    assert (run.started_at, run.finished_at, run.error) == (DUE, DUE + MINUTE + SECOND, None)


async def test_a_call_of_a_deleted_job_that_was_cut_off_is_canceled(ledger: Ledger, job: PersistedJob) -> None:
    started = await ledger.running(DUE, job)
    await ledger.jobs.delete("job")
    assert await ledger.record(cut_off(started)) == {started.call.run_id}
    run = await ledger.run_of(job)
    assert (run.state, run.reason, run.finished_at) == ("canceled", "deleted", DUE + SECOND)


async def test_a_call_of_a_deleted_job_is_recorded(ledger: Ledger, job: PersistedJob) -> None:
    started = await ledger.running(DUE, job)
    await ledger.jobs.delete("job")
    await ledger.record(ended(started, error="status: 500", excerpt="sorry"))
    run = await ledger.run_of(job)
    assert (run.state, run.response_excerpt) == ("failed", "sorry")


async def test_a_delete_that_waits_for_a_cut_off_cancels_what_is_pending_then(
    contended: Ledger, rival: Ledger, clock: FakeClock
) -> None:
    job = await contended.create()
    clock.step(MINUTE)
    started = await contended.running(DUE, job)
    async with gate(contended.url, "SELECT FROM job_runs FOR UPDATE") as held:
        recording = asyncio.create_task(contended.record(cut_off(started)))
        await held.until_waiting(1)
        deleting = asyncio.create_task(rival.jobs.delete("job"))
        await held.until_waiting(2)
        await held.open()
        await asyncio.gather(recording, deleting)
    assert states(await contended.runs_of(job)) == ["canceled"]


async def test_a_job_that_somebody_has_locked_holds_up_no_result_of_another(
    contended: Ledger, clock: FakeClock
) -> None:
    jobs = [await contended.create(name) for name in ("a", "b")]
    clock.step(MINUTE)
    results = [ended(await contended.running(DUE, job)) for job in jobs]
    async with gate(contended.url, f"SELECT FROM cron_jobs WHERE id = {jobs[0].id} FOR UPDATE"):
        recorded = await contended.records.record(ME, results)
    assert (list(recorded.states), recorded.busy) == ([results[1].started.call.run_id], results[:1])
    assert [(await contended.run_of(job)).state for job in jobs] == ["running", "succeeded"]
    assert (await contended.records.record(ME, recorded.busy)).busy == []
    assert [(await contended.run_of(job)).state for job in jobs] == ["succeeded", "succeeded"]


async def test_excerpts_are_kept_for_failures_and_for_the_last_success(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(policies=ONCE)
    for number, error in enumerate([None, "status: 500", None, None, "status: 503"]):
        clock.step(MINUTE)
        started = await ledger.running(clock.now(), job)
        await ledger.record(ended(started, error=error, excerpt=f"answer {number}"))
    excerpts = [run.response_excerpt for run in await ledger.runs_of(job)]
    assert excerpts == [None, "answer 1", None, "answer 3", "answer 4"]


async def test_of_several_successes_in_one_batch_the_last_keeps_its_excerpt(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(policies=MANY)
    runs = await _minutes_of(ledger, clock, job, 3)
    await ledger.record(*[ended(run, excerpt=f"answer {number}") for number, run in enumerate(runs)][::-1])
    assert [run.response_excerpt for run in await ledger.runs_of(job)] == [None, None, "answer 2"]


async def test_a_slow_older_success_keeps_no_excerpt(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(policies=MANY)
    older, newer = await _minutes_of(ledger, clock, job, 2)
    await ledger.record(ended(newer, excerpt="new", took=MINUTE))
    await ledger.record(ended(older, excerpt="old", took=SECOND))
    assert [run.response_excerpt for run in await ledger.runs_of(job)] == [None, "new"]


async def test_a_thousand_results_cost_a_handful_of_statements(ledger: Ledger, clock: FakeClock) -> None:
    await ledger.populate(1000)
    for statements in (5, 6):  # the second time there are excerpts to forget
        clock.step(MINUTE)
        claims = await ledger.claims.claim(ME, await ledger.candidates(clock.now()), roomy())
        finished = [ended(started, excerpt="fine") for started in claims.started]
        with _counted(ledger) as counted:
            assert len(await ledger.record(*finished)) == 1000
        assert len([each for each in counted if not each.startswith("BEGIN")]) <= statements
    kept = [run.ledger_at for run in await ledger.table(job_runs) if run.response_excerpt]
    assert kept == [clock.now()] * 1000
    assert {row.last_success for row in await ledger.table(cron_jobs)} == {clock.now() + SECOND}


async def test_a_batch_may_span_days(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(schedule="0 0 * * *", policies=MANY)
    clock.step(12 * 60 * MINUTE)
    first = await ledger.running(clock.now(), job)
    clock.step(24 * 60 * MINUTE)
    second = await ledger.running(clock.now(), job)
    assert len(await ledger.record(ended(second), ended(first))) == 2
    assert states(await ledger.runs_of(job)) == ["succeeded", "succeeded"]


async def _minutes_of(ledger: Ledger, clock: FakeClock, job: PersistedJob, count: int) -> list[Started]:
    runs = []
    for _ in range(count):
        clock.step(MINUTE)
        runs.append(await ledger.running(clock.now(), job))
    return runs


@contextmanager
def _counted(ledger: Ledger) -> Iterator[list[str]]:
    statements: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        statements.append(statement)

    engine = ledger.database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    yield statements
    event.remove(engine, "before_cursor_execute", note)
