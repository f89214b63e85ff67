"""Callbacks that meet something else: the record of their call, a takeover, each other. None is lost."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from app.db.tables import job_runs
from app.domain.callback import digest
from app.domain.claim import Recorded
from app.domain.clock import FakeClock
from app.domain.errors import CallbackNotFound, Conflict
from app.domain.run import State, Trigger
from tests.db.accepting import TIMEOUT, accept, accepted, begun, say, waiting
from tests.db.building import ME, MINUTE, NOON, OTHER, Ledger, cut_off, ended, states
from tests.db.locks import gate

DUE = NOON + MINUTE
LEASE = timedelta(seconds=30)


@pytest.mark.parametrize(
    ("said", "became"), [("succeeded", ("succeeded", None)), ("failed", ("failed", "callback: no"))]
)
@pytest.mark.parametrize("call", ["accepted", "cut off", "failed"])
async def test_a_callback_that_comes_before_its_call_is_recorded_has_the_word(
    ledger: Ledger, clock: FakeClock, said: str, became: tuple[str, str | None], call: str
) -> None:
    job, started = await begun(ledger, clock)
    await say(ledger, started, said, error="no", result="done")
    assert states(await ledger.runs_of(job)) == ["running"]
    with pytest.raises(Conflict):
        await say(ledger, started, "heartbeat")
    outcomes = {"accepted": accepted(started), "cut off": cut_off(started)}
    recorded = await ledger.records.record(ME, [outcomes.get(call, ended(started, error="timeout after 30 s"))])
    run = await ledger.run_of(job)
    assert (run.state, run.error) == became
    assert (run.response_excerpt, recorded.states) == ("done", {run.id: said})
    row = await ledger.row_of(job)
    assert (row.last_error, row.failures_in_a_row) == (became[1], said == "failed")


async def test_a_heartbeat_that_comes_before_its_call_is_recorded_counts(ledger: Ledger, clock: FakeClock) -> None:
    job, started = await begun(ledger, clock)
    clock.step(MINUTE)
    await say(ledger, started, "heartbeat")
    await accept(ledger, started)
    run = await ledger.run_of(job)
    assert (run.state, run.due_at) == ("waiting", DUE + MINUTE + TIMEOUT)


@pytest.mark.parametrize(("said", "became"), [("succeeded", "succeeded"), ("failed", "failed")])
async def test_a_callback_outlives_the_replica_that_made_the_call(
    ledger: Ledger, clock: FakeClock, said: str, became: str
) -> None:
    await ledger.replicas.join(ME, "here")
    job, started = await begun(ledger, clock)
    await say(ledger, started, said)
    clock.step(LEASE + MINUTE)
    await ledger.replicas.join(OTHER, "here")
    assert await ledger.replicas.bury(LEASE) == [(State(became), Trigger.SCHEDULE)]
    run = await ledger.run_of(job)
    assert (run.state, run.attempt, run.takeovers) == (became, 1, 0)
    assert ((await ledger.row_of(job)).last_success is not None) == (became == "succeeded")


async def test_a_run_without_a_callback_is_taken_over_as_ever(ledger: Ledger, clock: FakeClock) -> None:
    await ledger.replicas.join(ME, "here")
    job, _ = await begun(ledger, clock)
    clock.step(LEASE + MINUTE)
    assert await ledger.replicas.bury(LEASE) == [(State.PENDING, Trigger.SCHEDULE)]
    assert states(await ledger.runs_of(job)) == ["pending"]


async def test_a_callback_and_the_202_at_once_lose_nothing(contended: Ledger, rival: Ledger, clock: FakeClock) -> None:
    job, started = await begun(contended, clock)
    async with gate(contended.url, "SELECT FROM cron_jobs FOR UPDATE") as held:
        saying = asyncio.create_task(say(rival, started, "succeeded"))
        await held.until_waiting(1)
        assert (await accept(contended, started)).busy == [accepted(started)]
        await held.open()
        await saying
    await accept(contended, started)
    run = await contended.run_of(job)
    assert (run.state, run.failures) == ("succeeded", 0)
    assert (await contended.row_of(job)).last_success_run == run.id


async def test_two_callbacks_at_once_end_the_run_once(contended: Ledger, rival: Ledger, clock: FakeClock) -> None:
    _, started = await waiting(contended, clock)
    told = await asyncio.gather(
        *(say(each, started, "failed") for each in (contended, rival) * 3), return_exceptions=True
    )
    assert sorted(type(each).__name__ for each in told) == ["Conflict"] * 5 + ["NoneType"]
    assert [run.failures for run in await contended.table(job_runs)] == [1]


async def test_a_timeout_that_meets_a_callback_leaves_it_alone(
    contended: Ledger, rival: Ledger, clock: FakeClock
) -> None:
    job, started = await waiting(contended, clock)
    clock.step(TIMEOUT)
    async with gate(contended.url, "SELECT FROM cron_jobs FOR UPDATE") as held:
        saying = asyncio.create_task(say(rival, started, "succeeded"))
        await held.until_waiting(1)
        assert await contended.starts.time_out() == Recorded(more=True)
        await held.open()
        await saying
    assert (await contended.run_of(job)).state == "succeeded"
    assert await contended.starts.time_out() == Recorded()


async def test_an_attempt_that_begins_meanwhile_is_not_ended_by_the_token_of_the_one_before(
    contended: Ledger, rival: Ledger, clock: FakeClock
) -> None:
    job, started = await waiting(contended, clock)
    async with gate(contended.url, "SELECT FROM cron_jobs FOR UPDATE") as held:
        saying = asyncio.create_task(say(rival, started, "succeeded"))
        await held.until_waiting(1)
        await contended.execute("UPDATE job_runs SET attempt = 2, callback_token = :token", token=digest("next"))
        await held.open()
        with pytest.raises(CallbackNotFound):
            await saying
    assert states(await contended.runs_of(job)) == ["waiting"]


async def test_two_callbacks_at_once_end_the_run_of_a_deleted_job_once(
    contended: Ledger, rival: Ledger, clock: FakeClock
) -> None:
    """There is no job to be locked: the run's own lock has to do."""
    _, started = await waiting(contended, clock)
    await contended.jobs.delete("job")
    async with gate(contended.url, "SELECT FROM job_runs FOR UPDATE") as held:
        saying = [asyncio.create_task(say(each, started, "failed")) for each in (contended, rival)]
        await held.until_waiting(2)
        await held.open()
        told = await asyncio.gather(*saying, return_exceptions=True)
    assert sorted(type(each).__name__ for each in told) == ["Conflict", "NoneType"]


async def test_a_callback_that_comes_while_its_run_is_taken_over_is_not_lost(
    contended: Ledger, rival: Ledger, clock: FakeClock
) -> None:
    await contended.replicas.join(ME, "here")
    job, started = await begun(contended, clock)
    clock.step(LEASE + MINUTE)
    async with gate(contended.url, "SELECT FROM cron_jobs FOR UPDATE") as held:
        saying = asyncio.create_task(say(contended, started, "succeeded"))
        await held.until_waiting(1)
        assert await rival.replicas.bury(LEASE) == []
        await held.open()
        await saying
    assert states(await contended.runs_of(job)) == ["running"]
    assert await rival.replicas.bury(LEASE) == [(State.SUCCEEDED, Trigger.SCHEDULE)]
