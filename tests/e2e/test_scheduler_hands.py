"""Two replicas over one database: what a person asks of one of them holds for the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator

import pytest

from app.domain.clock import FakeClock
from app.scheduler.cancellations import CANCELED
from tests.db.building import every_instant_is_accounted_for
from tests.unit.scheduler.building import NOON, SECOND, pass_time, turns
from tests.unit.scheduler.fake_target import FakeTarget
from tests.unit.scheduler.replica import LOOPS, Replica, ServerClock, running

LEASE = 30


@pytest.fixture
async def pair(database_url: str, clock: FakeClock, server: ServerClock) -> AsyncIterator[tuple[Replica, Replica]]:
    one = running(database_url, clock, server)
    other = running(database_url, clock, server, target=FakeTarget(holding=True))
    async with one as asked, other as calling:
        yield asked, calling


async def both(clock: FakeClock, seconds: float, step: float = 0.25) -> None:
    await pass_time(clock, seconds, 2 * LOOPS, step)


async def test_a_call_of_one_is_cut_within_two_seconds_of_asking_the_other(
    pair: tuple[Replica, Replica], clock: FakeClock
) -> None:
    asked, calling = pair
    job = await calling.create(schedule="@manual")
    run = await calling.runs.trigger("job")
    await both(clock, 1)
    [call] = await calling.target.wait_for(1)
    at = clock.monotonic()
    await asked.runs.cancel(run.id, "wrong day")
    while not calling.target.cut and clock.monotonic() - at < 5:
        await both(clock, 0.25)
    assert calling.target.cut == [call]
    assert clock.monotonic() - at <= 2
    await both(clock, 1)
    row = await asked.ledger.run_of(job)
    assert (row.state, row.reason, row.error) == ("canceled", "canceled by hand: wrong day", CANCELED)
    assert calling.service.slots.free == 200
    await both(clock, 5)
    assert (len(calling.target.calls), asked.target.calls) == (1, [])


async def test_a_call_of_the_replica_that_was_asked_is_cut_at_once(
    pair: tuple[Replica, Replica], clock: FakeClock
) -> None:
    _, calling = pair
    await calling.create(schedule="@manual")
    run = await calling.runs.trigger("job")
    await both(clock, 1)
    [call] = await calling.target.wait_for(1)
    at = clock.monotonic()
    await calling.runs.cancel(run.id)
    await clock.block_until(2 * LOOPS)
    await turns()
    assert (calling.target.cut, clock.monotonic()) == ([call], at)


async def test_a_canceled_run_of_a_replica_that_was_killed_is_not_called_again(
    database_url: str, clock: FakeClock, server: ServerClock
) -> None:
    async with running(database_url, clock, server) as survivor:
        killed = Replica(database_url, clock, server, target=FakeTarget(holding=True))
        await killed.start()
        job = await killed.create(schedule="@manual")
        run = await killed.runs.trigger("job")
        await killed.target.wait_for(1)
        await killed.kill()
        assert (await survivor.runs.cancel(run.id)).state == "running"
        await survivor.pass_time(LEASE + 5)
        row = await survivor.ledger.run_of(job)
        assert (row.state, row.reason) == ("canceled", "canceled by hand")
        assert survivor.target.calls == []


async def test_a_retry_asked_of_one_is_called_once(pair: tuple[Replica, Replica], clock: FakeClock) -> None:
    asked, calling = pair
    await asked.create(schedule="@manual")
    run = await asked.runs.trigger("job")
    await both(clock, 2)
    again = await asked.runs.retry(run.id)
    await both(clock, 3)
    calls = [(call.run_id, call.trigger, call.scheduled_for) for call in asked.target.calls + calling.target.calls]
    assert calls == [(run.id, "manual", run.scheduled_for), (again.id, "retry", run.scheduled_for)]


async def test_a_pause_ends_by_itself_and_each_instant_after_it_is_called_once(
    database_url: str, clock: FakeClock, server: ServerClock
) -> None:
    async with running(database_url, clock, server) as one, running(database_url, clock, server) as other:
        job = await one.create(schedule="* * * * * *")
        await both(clock, 3)
        await one.jobs.set_enabled("job", enabled=False, until=NOON + 10.5 * SECOND)
        await both(clock, 20, step=0.5)
        await both(clock, 0.1, step=0.1)  # one that the other had locked when its instant came
        calls = Counter(call.scheduled_for for each in (one, other) for call in each.target.calls)
        paused = {NOON + n * SECOND for n in range(4, 11)}
        assert calls == {NOON + n * SECOND: 1 for n in range(1, 24) if NOON + n * SECOND not in paused}
        await every_instant_is_accounted_for(one.ledger, job, [NOON + n * SECOND for n in range(1, 24)])
