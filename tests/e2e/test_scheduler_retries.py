"""Attempts over time and over replicas: the next one stands in the ledger, and whoever is there makes it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from app.domain.clock import FakeClock
from app.domain.policies import Delivery, Overlap, Policies
from app.domain.retry import Retry
from app.domain.run import Call, Outcome, State, Trigger
from app.scheduler.runner import SHUT_DOWN
from app.target.address import Targets
from app.target.caller import HttpTarget
from app.target.reach import Reach
from tests.db.building import states
from tests.unit.scheduler.building import SECOND
from tests.unit.scheduler.fake_target import OK, FakeTarget
from tests.unit.scheduler.replica import Replica, ServerClock, running
from tests.unit.target.servers import Server

EVEN = Policies(retry=Retry(jitter=False))
BUSY = Outcome(error="status 503", status_code=503)
SOON = 0.5 * SECOND
"""How late a run may be called by the replica that recorded its failure: it need not look for it."""

LATE = 1.5 * SECOND
"""How late a run may be called that another replica took up."""


class Answers:
    """A target's, in turn, and when it was called; it ends with successes."""

    def __init__(self, now: Callable[[], datetime], *outcomes: Outcome) -> None:
        self._now = now
        self._outcomes = list(outcomes)
        self.times: list[datetime] = []

    def __call__(self, _call: Call) -> Outcome:
        self.times.append(self._now())
        return self._outcomes.pop(0) if self._outcomes else OK


class RealTarget(HttpTarget):
    """Answers when its servers do."""

    def release(self) -> None: ...


def answering(answers: Answers) -> FakeTarget:
    target = FakeTarget()
    target.answer = answers
    return target


async def test_a_run_that_fails_is_tried_again_when_it_is_due(
    database_url: str, clock: FakeClock, server: ServerClock
) -> None:
    answers = Answers(server.now, BUSY, replace(BUSY, retry_after=timedelta(seconds=30)))
    async with running(database_url, clock, server, target=answering(answers)) as replica:
        job = await replica.create(schedule="@manual", policies=EVEN)
        run = await replica.runs.trigger("job")
        await replica.pass_time(50, step=0.5)
        first, second, third = answers.times
        assert 5 * SECOND <= second - first <= 5 * SECOND + SOON
        assert 30 * SECOND <= third - second <= 30 * SECOND + SOON
        assert [(call.run_id, call.attempt) for call in replica.target.calls] == [(run.id, n) for n in (1, 2, 3)]
        row = await replica.ledger.run_of(job)
        assert (row.state, row.attempt, row.error, row.started_at) == ("succeeded", 3, None, answers.times[0])


async def test_a_retry_survives_the_replica_that_made_the_first_attempt(
    database_url: str, clock: FakeClock, server: ServerClock
) -> None:
    killed = Replica(database_url, clock, server, target=answering(Answers(server.now, BUSY)))
    await killed.start()
    job = await killed.create(schedule="@manual", policies=EVEN)
    run = await killed.runs.trigger("job")
    await killed.recorded(1)
    due_at = (await killed.ledger.run_of(job)).due_at
    await killed.kill()
    answers = Answers(server.now)
    async with running(database_url, clock, server, target=answering(answers)) as other:
        await other.pass_time(10, step=0.5)
        [call] = other.target.calls
        assert (call.run_id, call.attempt) == (run.id, 2)
        assert due_at <= answers.times[0] <= due_at + LATE
        row = await other.ledger.run_of(job)
        assert (row.state, row.attempt, row.failures, row.takeovers) == ("succeeded", 2, 1, 0)


async def test_all_attempts_end_by_the_deadline(database_url: str, clock: FakeClock, server: ServerClock) -> None:
    answers = Answers(server.now, BUSY, BUSY, BUSY)
    async with running(database_url, clock, server, target=answering(answers)) as replica:
        job = await replica.create(schedule="@manual", policies=replace(EVEN, deadline_seconds=12))
        run = await replica.runs.trigger("job")
        await replica.pass_time(30, step=0.5)
        assert run.deadline_at is not None
        left = [(run.deadline_at - at).total_seconds() for at in answers.times]
        assert [call.timeout_seconds for call in replica.target.calls] == pytest.approx(left, abs=0.001)
        assert len(left) == 2
        row = await replica.ledger.run_of(job)
        assert (row.state, row.reason, row.error, row.attempt) == ("failed", "deadline", "status 503", 2)


@pytest.mark.parametrize(
    ("delivery", "became"),
    [(Delivery.AT_LEAST_ONCE, ("pending", None)), (Delivery.AT_MOST_ONCE, ("lost", SHUT_DOWN))],
)
async def test_what_a_drain_cuts_off_is_made_again_or_lost(
    database_url: str, clock: FakeClock, server: ServerClock, delivery: Delivery, became: tuple[str, str | None]
) -> None:
    replica = Replica(database_url, clock, server, target=FakeTarget(holding=True))
    await replica.start()
    job = await replica.create(schedule="@manual", policies=Policies(delivery=delivery))
    await replica.runs.trigger("job")
    await replica.pass_time(1, step=0.25)
    await replica.target.wait_for(1)
    await replica.service.stop(0)
    row = await replica.ledger.run_of(job)
    assert (row.state, row.reason) == became
    await replica.close()


async def test_a_job_that_fails_too_often_pauses_itself_on_every_replica(
    database_url: str, clock: FakeClock, server: ServerClock
) -> None:
    policies = Policies(retry=Retry(max_attempts=1), pause_after_failures=3)
    target = answering(Answers(server.now, *[BUSY] * 20))
    async with running(database_url, clock, server, target=target) as replica:
        job = await replica.create(schedule="*/10 * * * * *", policies=policies)
        await replica.pass_time(90, step=0.5)
        row = await replica.ledger.row_of(job)
        assert (row.enabled, row.pause_note, row.failures_in_a_row) == (False, "paused after 3 failed runs", 3)
        assert states(await replica.ledger.runs_of(job)) == ["failed"] * 3
        assert replica.service.entries.versions() == {}
        await replica.jobs.set_enabled("job", enabled=True)
        await replica.pass_time(11, step=0.5)
        assert len(await replica.ledger.runs_of(job)) == 4
        assert (await replica.ledger.row_of(job)).failures_in_a_row == 1


async def test_a_job_whose_runs_are_never_called_in_time_pauses_itself_too(
    database_url: str, clock: FakeClock, server: ServerClock
) -> None:
    policies = Policies(overlap=Overlap.ALLOW, deadline_seconds=1, pause_after_failures=3)
    await clock.advance(0.25 * SECOND)  # lest each look at what is too late meets the claim of the next
    async with running(database_url, clock, server, target=FakeTarget(holding=True), concurrency=1) as replica:
        await replica.create("hog", "@manual")
        await replica.runs.trigger("hog")
        await replica.target.wait_for(1)
        job = await replica.create(schedule="* * * * * *", policies=policies)
        await replica.pass_time(8, step=0.25)
        assert not (await replica.ledger.row_of(job)).enabled
        failed = states(await replica.ledger.runs_of(job)).count("failed")
        assert replica.results.uncalled == [(State.FAILED, Trigger.SCHEDULE)] * failed


async def test_a_real_target_is_left_alone_for_as_long_as_it_asks(
    database_url: str, clock: FakeClock, server: ServerClock
) -> None:
    replies = [
        b"HTTP/1.1 429 Slow down\r\nRetry-After: 40\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes",
    ]

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while replies:
            await real.read(reader)
            times.append(server.now())
            writer.write(replies.pop(0))
            await writer.drain()

    times: list[datetime] = []
    real = Server(answer)
    port = await real.start()
    policies = Policies(
        retry=Retry(jitter=False, on=("429", "body")), success=replace(EVEN.success, body_contains="yes")
    )
    target = RealTarget(Reach(Targets.ANY), server, "1.2.3")
    await target.open()
    async with running(database_url, clock, server, target=target) as replica:
        job = await replica.create(schedule="@manual", endpoint=f"http://127.0.0.1:{port}/", policies=policies)
        await replica.runs.trigger("job")
        errors = []
        for attempt in (1, 2, 3):
            await _called(replica, real, attempt)
            errors.append((await replica.ledger.run_of(job)).error)
    assert errors == ["status 429", "body: the body does not contain what body_contains asks for", None]
    assert 40 * SECOND <= times[1] - times[0] <= 42 * SECOND
    assert 10 * SECOND <= times[2] - times[1] <= 12 * SECOND
    keys = [_header(request, b"Idempotency-Key") for request in real.requests]
    assert len(keys) == 3
    assert len(set(keys)) == 1
    await target.close()
    await real.stop()


async def _called(replica: Replica, real: Server, attempt: int) -> None:
    """Let so many calls be made and recorded; they take real time, in which the clock stands still."""
    for _ in range(100):
        if len(real.requests) >= attempt:
            break
        await replica.pass_time(0.5, step=0.5)
        await asyncio.wait_for(replica.service.runner._idle.wait(), 10)
    await replica.recorded(attempt)


def _header(request: bytes, name: bytes) -> bytes:
    [value] = [line for line in request.split(b"\r\n") if line.lower().startswith(name.lower() + b":")]
    return value
