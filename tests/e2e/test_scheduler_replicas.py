"""Two replicas over one database: each occurrence is called once, and what one of them leaves the other takes up."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.domain.clock import FakeClock
from app.domain.job import PersistedJob
from app.domain.policies import Overlap, Policies
from app.scheduler.runner import LEASE_LOST, SHUT_DOWN
from tests.db.building import states
from tests.e2e.audited import nothing_is_unaccounted
from tests.unit.scheduler.building import MINUTE, NOON, SECOND, pass_time
from tests.unit.scheduler.fake_target import FakeTarget
from tests.unit.scheduler.replica import LOOPS, Replica, ServerClock, running

LEASE = 30


@pytest.fixture
async def pair(database_url: str, clock: FakeClock, server: ServerClock) -> AsyncIterator[tuple[Replica, Replica]]:
    async with running(database_url, clock, server) as one, running(database_url, clock, server) as other:
        yield one, other
        await nothing_is_unaccounted(database_url, server)


async def both(clock: FakeClock, seconds: float, step: float = 0.5, sleepers: int = 2 * LOOPS) -> None:
    await pass_time(clock, seconds, sleepers, step)


def holding(**options: Any) -> dict[str, Any]:
    return {"target": FakeTarget(holding=True), **options}


async def test_each_occurrence_is_called_by_one_of_them(pair: tuple[Replica, Replica], clock: FakeClock) -> None:
    policies = Policies(overlap=Overlap.ALLOW)  # the clock's steps leave no time to record a run before the next
    jobs = [await pair[n % 2].create(f"job-{n}", "* * * * * *", policies=policies) for n in range(8)]
    await both(clock, 5)  # by now the poll has told each of the other's jobs
    await both(clock, 10, step=0.5)
    calls = Counter((call.job_name, call.scheduled_for) for one in pair for call in one.target.calls)
    assert calls == {(job.name, NOON + n * SECOND): 1 for job in jobs for n in range(1, 16)}
    await both(clock, 1, step=0.5)
    for job in jobs:
        assert Counter(states(await pair[0].ledger.runs_of(job)))["succeeded"] >= 15
    assert pair[0].results.dropped == pair[1].results.dropped == []


async def test_after_downtime_one_of_them_catches_up(database_url: str, clock: FakeClock, server: ServerClock) -> None:
    async with running(database_url, clock, server) as before:
        await before.create(schedule="0 * * * *")
    await clock.advance(5 * 60 * MINUTE + 30 * MINUTE)
    async with running(database_url, clock, server) as one, running(database_url, clock, server) as other:
        await both(clock, 5)
        calls = [(call.trigger, call.scheduled_for) for each in (one, other) for call in each.target.calls]
        assert calls == [("catch_up", NOON + 300 * MINUTE)]


async def test_a_run_of_a_replica_that_was_killed_is_called_again_by_the_other(
    database_url: str, clock: FakeClock, server: ServerClock
) -> None:
    async with running(database_url, clock, server) as survivor:
        killed = Replica(database_url, clock, server, **holding())
        await killed.start()
        job = await killed.create()
        run = await killed.runs.trigger("job")
        [first] = await killed.target.wait_for(1)
        assert (await killed.ledger.run_of(job)).owner == killed.service.replica
        await killed.kill()
        at = clock.monotonic()
        while not survivor.target.calls and clock.monotonic() - at <= LEASE + 5:
            await survivor.pass_time(1)
        [again] = await survivor.target.wait_for(1)
        assert clock.monotonic() - at <= LEASE + 5
        assert (again.run_id, first.attempt, again.attempt) == (run.id, 1, 2)
        await survivor.recorded(1)
        row = await survivor.ledger.run_of(job)
        assert (row.state, row.attempt, row.takeovers) == ("succeeded", 2, 1)
        assert row.owner == survivor.service.replica


async def test_a_run_that_kills_its_replicas_is_lost_after_three_takeovers(
    database_url: str, clock: FakeClock, server: ServerClock
) -> None:
    job: PersistedJob | None = None
    for attempt in range(1, 5):
        victim = Replica(database_url, clock, server, **holding(lease_seconds=3))
        await victim.start()
        if job is None:
            job = await victim.create()
            await victim.runs.trigger("job")
        while not victim.target.calls and clock.monotonic() < 50:
            await victim.pass_time(1)
        [call] = await victim.target.wait_for(1)
        assert call.attempt == attempt
        await victim.kill()
    async with running(database_url, clock, server, lease_seconds=3) as survivor:
        await survivor.pass_time(8)
        assert job is not None
        run = await survivor.ledger.run_of(job)
        assert (run.state, run.attempt, run.reason) == ("lost", 4, "replica died")
        assert survivor.target.calls == []


async def test_a_replica_that_is_taken_for_dead_cuts_its_calls_and_goes_on_under_a_new_id(
    database_url: str, clock: FakeClock, server: ServerClock
) -> None:
    async with running(database_url, clock, server, **holding()) as replica:
        job = await replica.create()
        await replica.runs.trigger("job")
        await replica.target.wait_for(1)
        before = replica.service.replica
        await replica.ledger.execute("UPDATE replicas SET dead = true")
        await replica.pass_time(4)
        [first, again] = replica.target.calls
        assert replica.target.cut == [first]
        assert (again.run_id, again.attempt) == (first.run_id, 2)
        assert replica.service.replica != before
        [dropped] = replica.results.dropped
        assert (dropped.outcome, dropped.note) == (None, LEASE_LOST)
        replica.target.release()
        await replica.recorded(2)
        run = await replica.ledger.run_of(job)
        assert (run.state, run.attempt, run.owner) == ("succeeded", 2, replica.service.replica)
        assert replica.service.slots.free == 200


async def test_what_one_of_them_has_no_room_for_is_started_by_the_other(
    database_url: str, clock: FakeClock, server: ServerClock
) -> None:
    async with running(database_url, clock, server, **holding(concurrency=1)) as busy:
        jobs = [await busy.create(f"job-{n}") for n in range(3)]
        await busy.pass_time(60, step=5)
        await busy.target.wait_for(1)
        found = [(await busy.ledger.run_of(job)).state for job in jobs]
        assert sorted(found) == ["pending", "pending", "running"]
        async with running(database_url, clock, server) as other:
            await both(clock, 3)
            assert len(other.target.calls) == 2
            assert {call.attempt for call in other.target.calls} == {1}
            busy.target.release()
            await both(clock, 1, step=0.25)
            assert [(await busy.ledger.run_of(job)).state for job in jobs] == ["succeeded"] * 3
            assert len(busy.target.calls) == 1
            assert busy.service.dispatcher._known == set()


async def test_a_replica_that_drains_claims_nothing_and_what_it_cuts_off_goes_to_the_other(
    database_url: str, clock: FakeClock, server: ServerClock
) -> None:
    leaving = Replica(database_url, clock, server, **holding())
    await leaving.start()
    async with running(database_url, clock, server) as staying:
        quick, slow = await leaving.create("quick", "@manual"), await leaving.create("slow", "@manual")
        for name in ("quick", "slow"):
            await leaving.runs.trigger(name)
        await both(clock, 1, step=0.25)
        [first, _] = await leaving.target.wait_for(2)
        leaving.service.stop_claiming()
        assert not leaving.service.claiming
        due = await staying.create("due", "* * * * * *")
        await both(clock, 4)
        assert {call.job_name for call in leaving.target.calls} == {"quick", "slow"}
        stopping = asyncio.create_task(leaving.service.stop(25))
        await clock.block_until(2 * LOOPS - 4)
        leaving.target.release(first.run_id)
        await both(clock, 20, sleepers=2 * LOOPS - 4)
        assert not stopping.done()
        await both(clock, 1, sleepers=LOOPS)
        await asyncio.wait_for(stopping, 10)
        run = await staying.ledger.run_of(slow)
        assert (run.state, run.owner, run.error, run.attempt) == ("pending", None, SHUT_DOWN, 1)
        assert (await staying.ledger.run_of(quick)).state == "succeeded"
        await staying.pass_time(2.5)  # the other's turn may still be waited for
        assert [(call.job_name, call.attempt) for call in staying.target.calls if call.job_name != "due"] == [
            ("slow", 2)
        ]
        assert len(await staying.ledger.runs_of(due)) == 27
    await leaving.close()
