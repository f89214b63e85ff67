from __future__ import annotations

from datetime import timedelta
from typing import Any

from app.domain.claim import Recorded
from app.domain.clock import FakeClock
from app.domain.job import PersistedJob
from app.domain.policies import Policies
from app.domain.retry import Retry
from tests.db.building import JUST, ME, MINUTE, NOON, SECOND, Ledger, ended, queued, room_for, states
from tests.db.locks import gate

DUE = NOON + MINUTE
NO_WAIT = timedelta(0)


async def _pending(ledger: Ledger, clock: FakeClock, **more: Any) -> PersistedJob:
    job = await ledger.create(policies=Policies(deadline_seconds=10, **more))
    clock.step(MINUTE)
    await ledger.claim(DUE, job, slots=room_for(0))
    return job


async def test_a_pending_run_fails_when_its_deadline_comes(ledger: Ledger, clock: FakeClock) -> None:
    job = await _pending(ledger, clock)
    clock.step(10 * SECOND - JUST)
    assert len((await ledger.starts.expire()).became) == 0
    clock.step(JUST)
    assert (await ledger.starts.start(ME, [queued(await ledger.run_of(job))])).begun == []
    assert len((await ledger.starts.expire()).became) == 1
    run = await ledger.run_of(job)
    assert (run.state, run.reason, run.finished_at, run.attempt) == ("failed", "deadline", DUE + 10 * SECOND, 0)
    assert (await ledger.row_of(job)).failures_in_a_row == 1
    assert len((await ledger.starts.expire()).became) == 0


async def test_a_run_that_is_held_up_waits_no_longer_than_its_deadline(ledger: Ledger, clock: FakeClock) -> None:
    job = await _pending(ledger, clock)
    await ledger.execute("UPDATE job_runs SET waiting_for = 'limit warehouse'")
    clock.step(10 * SECOND)
    assert len((await ledger.starts.expire()).became) == 1
    run = await ledger.run_of(job)
    assert (run.state, run.waiting_for) == ("failed", None)


async def test_a_run_between_two_attempts_fails_with_its_last_error(ledger: Ledger, clock: FakeClock) -> None:
    job = await _pending(ledger, clock, retry=Retry(min_backoff_seconds=1, max_backoff_seconds=1))
    [started] = (await ledger.starts.start(ME, [queued(await ledger.run_of(job))])).begun
    await ledger.record(ended(started, error="status: 500"))
    assert states(await ledger.runs_of(job)) == ["pending"]
    clock.step(10 * SECOND)
    await ledger.starts.expire()
    run = await ledger.run_of(job)
    assert (run.state, run.reason, run.error) == ("failed", "deadline", "status: 500")


async def test_a_manual_run_that_is_late_counts_for_nothing(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(policies=Policies(deadline_seconds=10))
    await ledger.runs.trigger("job")
    clock.step(10 * SECOND)
    recorded = await ledger.starts.expire()
    assert (recorded.became, recorded.failing) == ([("failed", "manual")], False)
    assert (await ledger.row_of(job)).failures_in_a_row == 0


async def test_what_came_too_late_is_told_by_state_and_trigger(ledger: Ledger, clock: FakeClock) -> None:
    await _pending(ledger, clock)
    await ledger.runs.trigger("job")
    clock.step(10 * SECOND)
    recorded = await ledger.starts.expire()
    assert (sorted(recorded.became), recorded.failing) == ([("failed", "manual"), ("failed", "schedule")], True)


async def test_a_call_under_way_is_left_to_whoever_makes_it(ledger: Ledger, clock: FakeClock) -> None:
    job = await _pending(ledger, clock)
    await ledger.starts.start(ME, [queued(await ledger.run_of(job))])
    clock.step(MINUTE)
    assert len((await ledger.starts.expire()).became) == 0
    assert states(await ledger.runs_of(job)) == ["running"]


async def test_a_claim_that_comes_after_the_deadline_calls_nobody(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(policies=Policies(deadline_seconds=10))
    clock.step(MINUTE + 20 * SECOND)
    assert (await ledger.claim(clock.now(), job)).started == []
    await ledger.starts.expire()
    assert states(await ledger.runs_of(job)) == ["failed"]


async def test_a_run_that_another_holds_is_left_for_the_next_look(contended: Ledger, clock: FakeClock) -> None:
    await _pending(contended, clock)
    clock.step(10 * SECOND)
    async with gate(contended.url, "SELECT FROM job_runs FOR UPDATE"):
        assert len((await contended.starts.expire()).became) == 0
    assert len((await contended.starts.expire()).became) == 1


async def test_a_run_whose_job_another_holds_is_more_to_be_ended(contended: Ledger, clock: FakeClock) -> None:
    await _pending(contended, clock)
    clock.step(10 * SECOND)
    async with gate(contended.url, "SELECT FROM cron_jobs FOR UPDATE"):
        assert await contended.starts.expire() == Recorded(more=True)
    recorded = await contended.starts.expire()
    assert (len(recorded.became), recorded.more) == (1, False)


async def test_a_run_with_jitter_is_pending_until_it_is_due(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(policies=Policies(jitter_seconds=30))
    clock.step(MINUTE)
    claims = await ledger.claim(DUE, job)
    run = await ledger.run_of(job)
    assert (claims.started, run.state, run.waiting_for) == ([], "pending", None)
    assert DUE < run.due_at < DUE + 30 * SECOND
    assert [(each.run_id, each.due_at) for each in claims.queued] == [(run.id, run.due_at)]
    assert (await ledger.starts.start(ME, claims.queued)).begun == []
    clock.step(run.due_at - clock.now())
    assert len((await ledger.starts.start(ME, claims.queued)).begun) == 1


async def test_a_job_that_somebody_has_locked_holds_up_no_run_of_another(contended: Ledger, clock: FakeClock) -> None:
    jobs = [await contended.create(name, policies=Policies(deadline_seconds=10)) for name in ("a", "b")]
    clock.step(MINUTE)
    for job in jobs:
        await contended.claim(DUE, job, slots=room_for(0))
    clock.step(10 * SECOND)
    async with gate(contended.url, f"SELECT FROM cron_jobs WHERE id = {jobs[0].id} FOR UPDATE"):
        assert len((await contended.starts.expire()).became) == 1
    assert [(await contended.run_of(job)).state for job in jobs] == ["pending", "failed"]
    assert len((await contended.starts.expire()).became) == 1
