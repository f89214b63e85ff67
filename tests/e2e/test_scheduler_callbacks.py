"""Attempts that end by a callback, over time and over replicas."""

from __future__ import annotations

from dataclasses import replace

from app.domain.callback import Said
from app.domain.clock import FakeClock
from app.domain.policies import AsyncCompletion, Policies
from app.domain.retry import Retry
from app.domain.run import Call, Outcome
from app.service.callbacks import CallbackService
from tests.unit.scheduler.building import SECOND
from tests.unit.scheduler.fake_target import FakeTarget
from tests.unit.scheduler.replica import Replica, ServerClock, running

ACCEPTED = Outcome(error=None, status_code=202, accepted=True)
LATER = Policies(async_completion=AsyncCompletion(timeout_seconds=20), retry=Retry(jitter=False))
SOON = 1.5 * SECOND
"""How late it may be seen that no callback has come."""


def accepting() -> FakeTarget:
    target = FakeTarget()
    target.answer = lambda _: ACCEPTED
    return target


async def say(replica: Replica, call: Call, said: Said, error: str | None = None) -> None:
    assert call.callback_token is not None
    service = CallbackService(replica.ledger.database, replica.service)
    await service.report(call.run_id, call.callback_token, said, error, None)


async def test_heartbeats_keep_a_run_waiting_until_it_succeeds(
    database_url: str, clock: FakeClock, server: ServerClock
) -> None:
    async with running(database_url, clock, server, target=accepting()) as replica:
        job = await replica.create(schedule="@manual", policies=LATER)
        await replica.runs.trigger("job")
        for _ in range(3):
            await replica.pass_time(15, step=0.5)
            [call] = replica.target.calls
            assert (await replica.ledger.run_of(job)).state == "waiting"
            await say(replica, call, Said.HEARTBEAT)
        assert replica.service.slots.free == 200
        await say(replica, call, Said.SUCCEEDED)
        await replica.pass_time(60, step=1)
        run = await replica.ledger.run_of(job)
        assert (run.state, run.attempt, len(replica.target.calls)) == ("succeeded", 1, 1)


async def test_without_a_callback_the_next_attempt_is_made_with_another_token(
    database_url: str, clock: FakeClock, server: ServerClock
) -> None:
    async with running(database_url, clock, server, target=accepting()) as replica:
        job = await replica.create(schedule="@manual", policies=LATER)
        await replica.runs.trigger("job")
        await replica.pass_time(2, step=0.5)
        given_up_at = (await replica.ledger.run_of(job)).due_at
        await replica.pass_time(21, step=0.5)
        pending = await replica.ledger.run_of(job)
        assert (pending.state, pending.error) == ("pending", "timeout: no callback within 20 s")
        assert 5 * SECOND <= pending.due_at - given_up_at <= 5 * SECOND + SOON
        await replica.pass_time(6, step=0.5)
        first, second = replica.target.calls
        assert (first.run_id, first.attempt, second.attempt) == (second.run_id, 1, 2)
        assert first.callback_token != second.callback_token
        run = await replica.ledger.run_of(job)
        assert (run.state, run.failures, run.error) == ("waiting", 1, None)
        assert run.called_at - pending.due_at <= 0.5 * SECOND  # another replica would have come a second later
        await say(replica, second, Said.SUCCEEDED)
        assert (await replica.ledger.run_of(job)).state == "succeeded"


async def test_a_failure_that_is_covered_is_called_again_when_it_is_due(
    database_url: str, clock: FakeClock, server: ServerClock
) -> None:
    policies = replace(LATER, retry=Retry(jitter=False, on=("callback",)))
    async with running(database_url, clock, server, target=accepting()) as replica:
        job = await replica.create(schedule="@manual", policies=policies)
        await replica.runs.trigger("job")
        await replica.pass_time(2, step=0.5)
        failed_at = server.now()
        await say(replica, replica.target.calls[0], Said.FAILED, "the disk is full")
        await replica.pass_time(8, step=0.5)
        run = await replica.ledger.run_of(job)
        assert (run.state, run.attempt) == ("waiting", 2)
        assert 5 * SECOND <= run.called_at - failed_at <= 5.5 * SECOND


async def test_a_run_of_a_replica_that_died_waits_on_and_times_out_at_another(
    database_url: str, clock: FakeClock, server: ServerClock
) -> None:
    killed = Replica(database_url, clock, server, target=accepting())
    await killed.start()
    job = await killed.create(schedule="@manual", policies=replace(LATER, retry=Retry(max_attempts=1)))
    await killed.runs.trigger("job")
    await killed.pass_time(2, step=0.5)
    await killed.kill()
    async with running(database_url, clock, server, target=accepting(), lease_seconds=3) as other:
        await other.pass_time(10, step=0.5)
        run = await other.ledger.run_of(job)
        assert (run.state, run.takeovers) == ("waiting", 0)
        await other.pass_time(12, step=0.5)
        run = await other.ledger.run_of(job)
        assert (run.state, run.error, other.target.calls) == ("failed", "timeout: no callback within 20 s", [])


async def test_a_canceled_run_is_not_called_again(database_url: str, clock: FakeClock, server: ServerClock) -> None:
    async with running(database_url, clock, server, target=accepting()) as replica:
        job = await replica.create(schedule="@manual", policies=LATER)
        run = await replica.runs.trigger("job")
        await replica.pass_time(2, step=0.5)
        assert (await replica.runs.cancel(run.id)).state == "canceled"
        await replica.pass_time(60)
        row = await replica.ledger.run_of(job)
        assert (row.state, row.reason, len(replica.target.calls)) == ("canceled", "canceled by hand", 1)
