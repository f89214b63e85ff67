"""Attempts that a target accepts with 202, and ends by a callback, or by none."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import pytest

from app.db.limits import LimitRepository
from app.domain.callback import Said, digest
from app.domain.clock import FakeClock
from app.domain.errors import CallbackNotFound, Conflict
from app.domain.policies import Overlap, Policies
from app.domain.retry import Retry
from app.domain.run import State, Trigger
from tests.db.accepting import LATER, TIMEOUT, accept, begun, say, waiting
from tests.db.building import JUST, ME, MINUTE, NOON, OTHER, SECOND, Ledger, queued, states

DUE = NOON + MINUTE
LEASE = timedelta(seconds=30)
ON_CALLBACK = replace(LATER, retry=Retry(jitter=False, on=("callback",)))


async def test_each_attempt_of_such_a_job_has_a_token_of_which_the_ledger_keeps_the_digest(
    ledger: Ledger, clock: FakeClock
) -> None:
    job, started = await begun(ledger, clock, ON_CALLBACK)
    token = started.call.callback_token
    assert token is not None
    assert re.fullmatch("[A-Za-z0-9_-]{43}", token)  # 256 bits
    assert (await ledger.run_of(job)).callback_token == digest(token)
    await say(ledger, started, "failed")
    await accept(ledger, started)
    clock.step(MINUTE)
    [second] = (await ledger.starts.start(ME, [queued(await ledger.run_of(job))])).begun
    again = second.call.callback_token
    assert again is not None
    assert again != token
    row = await ledger.run_of(job)
    assert (row.callback_token, row.callback_status, row.called_at) == (digest(again), None, clock.now())


async def test_other_jobs_have_no_token(ledger: Ledger, clock: FakeClock) -> None:
    job, started = await begun(ledger, clock, Policies())
    row = await ledger.run_of(job)
    assert (started.call.callback_token, row.callback_token, row.callback_seconds, row.called_at) == (None,) * 4
    with pytest.raises(CallbackNotFound):
        await ledger.callbacks.report(row.id, "", Said.SUCCEEDED, None, None)


async def test_a_run_that_was_accepted_waits_and_is_nobodys(ledger: Ledger, clock: FakeClock) -> None:
    job, started = await begun(ledger, clock)
    recorded = await accept(ledger, started)
    assert (recorded.states, recorded.queued) == ({started.call.run_id: State.WAITING}, [])
    run = await ledger.run_of(job)
    assert (run.state, run.due_at, run.finished_at) == ("waiting", DUE + SECOND + TIMEOUT, None)
    assert (run.status_code, run.error, run.response_excerpt, run.failures) == (202, None, "queued", 0)
    row = await ledger.row_of(job)
    assert (row.last_run, row.last_success, row.last_error) == (None, None, None)
    await ledger.replicas.join(OTHER, "here")
    assert await ledger.replicas.bury(LEASE) == []
    assert await ledger.replicas.owned(ME) == {}
    assert await ledger.starts.pending(10, [], timedelta(0)) == []
    assert states(await ledger.runs_of(job)) == ["waiting"]


async def test_a_success_is_what_the_target_says(ledger: Ledger, clock: FakeClock) -> None:
    job, started = await waiting(ledger, clock)
    clock.step(MINUTE)
    await say(ledger, started, "succeeded", result="1,204 rows")
    run = await ledger.run_of(job)
    assert (run.state, run.reason, run.finished_at) == ("succeeded", None, clock.now())
    assert (run.started_at, run.status_code, run.error) == (DUE + 0.25 * SECOND, 202, None)
    assert run.response_excerpt == "1,204 rows"
    row = await ledger.row_of(job)
    assert (row.last_run, row.last_success, row.last_error) == (run.started_at, clock.now(), None)
    assert row.last_success_run == run.id
    assert ledger.heard.ended == [(State.SUCCEEDED, Trigger.SCHEDULE)]


async def test_without_a_result_the_answers_excerpt_stays(ledger: Ledger, clock: FakeClock) -> None:
    job, started = await waiting(ledger, clock)
    await say(ledger, started, "succeeded")
    assert (await ledger.run_of(job)).response_excerpt == "queued"


async def test_a_result_is_kept_to_two_kilobytes(ledger: Ledger, clock: FakeClock) -> None:
    job, started = await waiting(ledger, clock)
    await say(ledger, started, "succeeded", result="€" * 2000)
    assert (await ledger.run_of(job)).response_excerpt == "€" * 682


async def test_a_failure_is_final_unless_the_policy_covers_it(ledger: Ledger, clock: FakeClock) -> None:
    job, started = await waiting(ledger, clock)
    await say(ledger, started, "failed", error="the disk\nis full")
    run = await ledger.run_of(job)
    assert (run.state, run.reason, run.error) == ("failed", None, "callback: the disk is full")
    assert (run.failures, run.finished_at, ledger.heard.queued) == (1, clock.now(), [])
    row = await ledger.row_of(job)
    assert (row.failures_in_a_row, row.last_error) == (1, "callback: the disk is full")


async def test_a_failure_that_is_covered_is_tried_again(ledger: Ledger, clock: FakeClock) -> None:
    job, started = await waiting(ledger, clock, ON_CALLBACK)
    await say(ledger, started, "failed")
    run = await ledger.run_of(job)
    due = clock.now() + 6 * SECOND
    assert (run.state, run.due_at, run.owner, run.failures) == ("pending", clock.now() + 5 * SECOND, None, 1)
    assert (run.error, run.finished_at) == ("callback: the target said that it failed", None)
    assert [(each.run_id, each.due_at) for each in ledger.heard.queued] == [(run.id, run.due_at)]
    assert (await ledger.row_of(job)).failures_in_a_row == 0
    clock.step(due - clock.now())
    [second] = (await ledger.starts.start(OTHER, [queued(run)])).begun
    assert (second.call.attempt, second.failures, second.first_started_at) == (2, 1, run.started_at)


async def test_failures_by_callback_count_against_the_jobs_patience(ledger: Ledger, clock: FakeClock) -> None:
    _, started = await waiting(ledger, clock, replace(LATER, pause_after_failures=1))
    await say(ledger, started, "failed")
    assert ledger.heard.too_many == 1


async def test_a_heartbeat_extends_the_time(ledger: Ledger, clock: FakeClock) -> None:
    job, started = await waiting(ledger, clock)
    clock.step(TIMEOUT - 2 * SECOND)
    for _ in range(2):
        await say(ledger, started, "heartbeat")
        run = await ledger.run_of(job)
        assert (run.state, run.due_at) == ("waiting", clock.now() + TIMEOUT)
        clock.step(TIMEOUT - JUST)
        assert (await ledger.starts.time_out()).states == {}
    clock.step(JUST)
    assert (await ledger.starts.time_out()).states == {run.id: State.PENDING}


async def test_no_callback_in_time_is_a_failure_that_is_tried_again(ledger: Ledger, clock: FakeClock) -> None:
    job, started = await waiting(ledger, clock)
    clock.step(TIMEOUT - JUST)
    assert (await ledger.starts.time_out()).states == {}
    clock.step(JUST)
    recorded = await ledger.starts.time_out()
    run = await ledger.run_of(job)
    assert (run.state, run.error, run.failures) == ("pending", "timeout: no callback within 600 s", 1)
    assert [(each.run_id, each.due_at) for each in recorded.queued] == [(run.id, clock.now() + 5 * SECOND)]
    assert (run.due_at, recorded.became) == (clock.now() + 5 * SECOND, [("pending", "schedule")])
    with pytest.raises(Conflict):
        await say(ledger, started, "succeeded")


async def test_no_callback_to_the_last_attempt_is_the_end(ledger: Ledger, clock: FakeClock) -> None:
    policies = replace(LATER, retry=Retry(max_attempts=1), pause_after_failures=1)
    job, _ = await waiting(ledger, clock, policies)
    clock.step(TIMEOUT)
    recorded = await ledger.starts.time_out()
    run = await ledger.run_of(job)
    assert (run.state, run.error, run.finished_at) == ("failed", "timeout: no callback within 600 s", clock.now())
    assert (recorded.failing, recorded.became) == (True, [("failed", "schedule")])
    row = await ledger.row_of(job)
    assert (row.failures_in_a_row, row.last_error) == (1, run.error)


@pytest.mark.parametrize("beats", [False, True])
async def test_the_deadline_ends_what_waits_whatever_its_heartbeats(
    ledger: Ledger, clock: FakeClock, *, beats: bool
) -> None:
    job, started = await waiting(ledger, clock, replace(LATER, deadline_seconds=60))
    if beats:
        await say(ledger, started, "heartbeat")
    assert (await ledger.run_of(job)).due_at == DUE + MINUTE
    clock.step(59 * SECOND - JUST)
    assert (await ledger.starts.time_out()).states == {}
    clock.step(JUST)
    await ledger.starts.time_out()
    run = await ledger.run_of(job)
    assert (run.state, run.reason, run.error) == ("failed", "deadline", "timeout: no callback by the deadline")


async def test_a_run_that_waits_is_canceled_at_once(ledger: Ledger, clock: FakeClock) -> None:
    _, started = await waiting(ledger, clock)
    run = await ledger.runs.cancel(started.call.run_id, "wrong day")
    assert (run.state, run.reason, run.finished_at) == (State.CANCELED, "canceled by hand: wrong day", clock.now())
    assert ledger.heard.ended == [(State.CANCELED, Trigger.SCHEDULE)]
    with pytest.raises(Conflict, match="is canceled"):
        await say(ledger, started, "succeeded")


async def test_a_cancel_that_was_asked_for_before_the_202_ends_the_run(ledger: Ledger, clock: FakeClock) -> None:
    job, started = await begun(ledger, clock)
    await ledger.runs.cancel(started.call.run_id)
    await accept(ledger, started)
    assert states(await ledger.runs_of(job)) == ["canceled"]


@pytest.mark.parametrize("token", ["", "x", "x" * 43, "\udcff"])
async def test_a_wrong_token_finds_nothing(ledger: Ledger, clock: FakeClock, token: str) -> None:
    job, started = await waiting(ledger, clock)
    with pytest.raises(CallbackNotFound) as known:
        await ledger.callbacks.report(started.call.run_id, token, Said.SUCCEEDED, None, None)
    other = replace(started.call, run_id=started.call.job_id)
    with pytest.raises(CallbackNotFound) as unknown:
        await ledger.callbacks.report(other.run_id, token, Said.SUCCEEDED, None, None)
    assert str(known.value) == str(unknown.value)
    assert states(await ledger.runs_of(job)) == ["waiting"]


async def test_the_digest_opens_nothing(ledger: Ledger, clock: FakeClock) -> None:
    job, started = await waiting(ledger, clock)
    kept = (await ledger.run_of(job)).callback_token
    with pytest.raises(CallbackNotFound):
        await ledger.callbacks.report(started.call.run_id, kept, Said.SUCCEEDED, None, None)


@pytest.mark.parametrize("said", ["succeeded", "failed", "heartbeat"])
async def test_a_token_ends_one_attempt(ledger: Ledger, clock: FakeClock, said: str) -> None:
    job, started = await waiting(ledger, clock)
    await say(ledger, started, "succeeded")
    with pytest.raises(Conflict, match=f"the run {started.call.run_id} is succeeded"):
        await say(ledger, started, said)
    assert states(await ledger.runs_of(job)) == ["succeeded"]


async def test_the_token_of_an_earlier_attempt_is_dead(ledger: Ledger, clock: FakeClock) -> None:
    job, first = await waiting(ledger, clock)
    clock.step(TIMEOUT)
    await ledger.starts.time_out()
    with pytest.raises(Conflict, match="is pending"):
        await say(ledger, first, "succeeded")
    clock.step(MINUTE)
    [second] = (await ledger.starts.start(ME, [queued(await ledger.run_of(job))])).begun
    await accept(ledger, second)
    with pytest.raises(CallbackNotFound):
        await say(ledger, first, "succeeded")
    await say(ledger, second, "succeeded")
    run = await ledger.run_of(job)
    assert (run.state, run.attempt, run.error) == ("succeeded", 2, None)
    assert (await ledger.row_of(job)).last_run == second.started_at


@pytest.mark.parametrize("said", ["succeeded", "failed"])
async def test_the_run_of_a_deleted_job_ends_as_the_target_says(ledger: Ledger, clock: FakeClock, said: str) -> None:
    job, started = await waiting(ledger, clock, ON_CALLBACK)
    await ledger.jobs.delete("job")
    await say(ledger, started, "heartbeat")
    await say(ledger, started, said)
    assert states(await ledger.runs_of(job)) == [said]


async def test_the_time_is_that_of_the_attempt_whatever_the_job_says_by_now(ledger: Ledger, clock: FakeClock) -> None:
    job, _ = await waiting(ledger, clock)
    await ledger.patch("job", policies=replace(LATER, async_completion=None, retry=Retry(max_attempts=1)))
    clock.step(TIMEOUT)
    await ledger.starts.time_out()
    run = (await ledger.runs_of(job))[0]
    assert (run.state, run.error) == ("failed", "timeout: no callback within 600 s")


async def test_what_waits_is_active_for_its_job(ledger: Ledger, clock: FakeClock) -> None:
    job, started = await waiting(ledger, clock)
    clock.step(MINUTE - SECOND)
    await ledger.claim(clock.now(), job)
    skipped = (await ledger.runs_of(job))[1]
    assert (skipped.state, skipped.reason) == ("skipped", f"overlap: run {started.call.run_id} is active")


async def test_what_waits_holds_its_limit_until_it_ends(ledger: Ledger, clock: FakeClock) -> None:
    async with ledger.database.begin() as connection:
        await LimitRepository(connection).put("disk", 1, None, NOON)
    policies = replace(LATER, concurrency_key="disk")
    jobs = [await ledger.create(name, policies=policies) for name in ("one", "two")]
    clock.step(MINUTE)
    pending = (await ledger.claim(clock.now(), *jobs)).queued
    [started] = (await ledger.starts.start(ME, pending)).begun
    await accept(ledger, started)
    clock.step(SECOND)
    held_up = [run for run in pending if run.run_id != started.call.run_id]
    assert (await ledger.starts.start(ME, held_up)).begun == []
    assert (await ledger.starts.opened(10, [])).runs == []
    await say(ledger, started, "succeeded")
    assert len((await ledger.starts.start(ME, (await ledger.starts.opened(10, [])).runs)).begun) == 1


async def test_a_newer_run_takes_over_from_one_that_waits(ledger: Ledger, clock: FakeClock) -> None:
    job, first = await waiting(ledger, clock, replace(LATER, overlap=Overlap.CANCEL_PREVIOUS))
    clock.step(MINUTE - SECOND)
    [second] = (await ledger.claim(clock.now(), job)).started
    runs = await ledger.runs_of(job)
    assert states(runs) == ["canceled", "running"]
    assert (runs[0].reason, runs[0].finished_at) == (f"overlap: run {second.call.run_id} took over", clock.now())
    with pytest.raises(Conflict):
        await say(ledger, first, "succeeded")
