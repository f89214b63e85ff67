"""Gates over two replicas: what holds a run up, and that nobody misses when it opens."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.config import Settings
from app.db.engine import connect
from app.db.limits import LimitRepository
from app.db.starts import StartTransaction
from app.domain.clock import FakeClock
from app.domain.policies import Overlap, Policies
from app.main import build_scheduler
from app.metrics import Metrics
from tests.db.building import states
from tests.unit.scheduler.building import MINUTE, NOON, SECOND, pass_time
from tests.unit.scheduler.fake_target import FakeTarget
from tests.unit.scheduler.replica import LOOPS, Replica, ServerClock, running


@pytest.fixture
async def pair(database_url: str, clock: FakeClock, server: ServerClock) -> AsyncIterator[tuple[Replica, Replica]]:
    async with (
        running(database_url, clock, server, target=FakeTarget(holding=True)) as one,
        running(database_url, clock, server, target=FakeTarget(holding=True)) as other,
    ):
        yield one, other


async def both(clock: FakeClock, seconds: float, step: float = 1) -> None:
    await pass_time(clock, seconds, 2 * LOOPS, step)


def calls(pair: tuple[Replica, Replica]) -> list[Any]:
    return [call for replica in pair for call in replica.target.calls]


def under_way(pair: tuple[Replica, Replica]) -> int:
    return sum(len(replica.target._open) for replica in pair)


async def test_what_is_queued_starts_when_the_run_before_it_has_ended(
    pair: tuple[Replica, Replica], clock: FakeClock
) -> None:
    job = await pair[0].create(policies=Policies(overlap=Overlap.QUEUE))
    await both(clock, 122)
    assert states(await pair[0].ledger.runs_of(job)) == ["running", "pending"]
    for replica in pair:
        replica.target.release()
    await both(clock, 1.5, step=0.1)
    assert len(calls(pair)) == 2
    assert states(await pair[0].ledger.runs_of(job)) == ["succeeded", "running"]


async def test_a_newer_run_takes_over_from_a_call_that_is_cut(pair: tuple[Replica, Replica], clock: FakeClock) -> None:
    job = await pair[0].create(policies=Policies(overlap=Overlap.CANCEL_PREVIOUS))
    await both(clock, 119)
    assert len(calls(pair)) == 1
    await both(clock, 5, step=0.5)
    assert states(await pair[0].ledger.runs_of(job)) == ["canceled", "running"]
    assert len([cut for replica in pair for cut in replica.target.cut]) == 1


async def test_a_limit_of_7_holds_over_both_and_every_job_has_its_turn(
    pair: tuple[Replica, Replica], clock: FakeClock
) -> None:
    ledger = pair[0].ledger
    async with ledger.database.begin() as connection:
        await LimitRepository(connection).put("warehouse", 7, None, NOON)
    for number in range(40):
        await pair[number % 2].create(f"job-{number}", "0 1 12 * * *", policies=Policies(concurrency_key="warehouse"))
    await both(clock, 62)
    for _ in range(40):
        assert under_way(pair) <= 7
        for replica in pair:
            replica.target.release()
        await both(clock, 0.5, step=0.1)
        if len(calls(pair)) == 40 and not under_way(pair):
            break
    assert len({call.job_name for call in calls(pair)}) == len(calls(pair)) == 40


async def test_jitter_is_waited_for_by_the_replica_that_claimed(
    pair: tuple[Replica, Replica], clock: FakeClock
) -> None:
    job = await pair[0].create(policies=Policies(jitter_seconds=10))
    await both(clock, 59)
    await both(clock, 11.5, step=0.1)
    [run] = await pair[0].ledger.runs_of(job)
    assert NOON + MINUTE < run.due_at < NOON + MINUTE + 10 * SECOND
    assert run.state == "running"
    assert (run.started_at - run.due_at).total_seconds() <= 0.2


async def test_the_rate_of_catch_up_is_a_setting(database_url: str) -> None:
    database = connect(database_url)
    scheduler = build_scheduler(Settings(catch_up_rate=3), database, FakeTarget(), Metrics())
    store = scheduler.dispatcher._store
    assert isinstance(store, StartTransaction)
    assert store._catch_up_rate == 3
    await database.close()


async def test_what_is_caught_up_is_spread_and_what_is_due_now_is_not(
    database_url: str, clock: FakeClock, server: ServerClock
) -> None:
    async with running(database_url, clock, server) as before:
        for number in range(30):
            await before.create(f"job-{number}", "0 * * * *")
    await clock.advance(90 * MINUTE)
    async with running(database_url, clock, server) as one, running(database_url, clock, server) as other:
        for seconds in range(1, 5):
            await both(clock, 1)
            assert len(calls((one, other))) <= 10 * (seconds + 1)
        assert len(calls((one, other))) == 30
        assert {call.trigger for call in calls((one, other))} == {"catch_up"}


@pytest.mark.parametrize("room", [{"concurrency": 20}, {"per_host_concurrency": 20}])
async def test_what_is_caught_up_leaves_places_for_what_is_due_now(
    database_url: str, clock: FakeClock, server: ServerClock, room: dict[str, int]
) -> None:
    async with running(database_url, clock, server) as before:
        for number in range(40):
            await before.create(f"job-{number}", "0 * * * *")
    await clock.advance(90 * MINUTE)
    async with running(database_url, clock, server, target=FakeTarget(holding=True), **room) as replica:
        await replica.pass_time(5)
        caught_up = len(replica.target.calls)
        assert 10 <= caught_up < 20
        await replica.create("due", "8 30 13 * * *")
        await replica.pass_time(4)
        assert [call.job_name for call in replica.target.calls[caught_up:]] == ["due"]
        replica.target.holding = False
        replica.target.release()
        await replica.pass_time(6)
        assert len(replica.target.calls) == 40 + 1
