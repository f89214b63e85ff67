"""The rate of what is caught up, over all replicas."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID

import pytest

from app.db.limits import LimitRepository
from app.db.starts import StartTransaction
from app.domain.claim import Queued, Started
from app.domain.clock import FakeClock
from app.domain.gates import CATCH_UP_KEY
from app.domain.policies import Misfire, MisfirePolicy, Overlap, Policies
from tests.db.building import ME, MINUTE, OTHER, SECOND, Ledger, ended, opened, roomy
from tests.db.limiting import get_limit, open_runs, waiting

THIRD = UUID(int=0xC)


@pytest.fixture
async def third(database_url: str, clock: FakeClock) -> AsyncIterator[Ledger]:
    async with opened(database_url, clock) as ledger:
        yield ledger


async def _late(ledger: Ledger, clock: FakeClock, jobs: int) -> list[Queued]:
    """Each of the jobs has one run that is to be caught up."""
    await ledger.populate(jobs, "0 * * * *")
    clock.step(90 * MINUTE)
    claims = await ledger.claims.claim(ME, await ledger.candidates(clock.now()), roomy())
    assert (claims.started, claims.queued) == ([], [])
    assert await waiting(ledger) == ["catch-up rate"] * jobs
    return await open_runs(ledger)


async def test_three_replicas_together_never_exceed_the_rate_of_catch_up(
    ledger: Ledger, rival: Ledger, third: Ledger, clock: FakeClock
) -> None:
    await _late(ledger, clock, 50)
    stores = {ME: ledger, OTHER: rival, THIRD: third}
    started: list[Started] = []

    async def look(replica: UUID) -> list[Started]:
        found = await open_runs(stores[replica])
        return (await stores[replica].starts.start(replica, found)).begun if found else []

    for tenths in range(50):
        for each in await asyncio.gather(*map(look, stores)):
            started += each
        started += await look(ME)  # what the three had locked for each other
        assert len(started) == min(10 + tenths, 50)
        clock.step(SECOND / 10)
    assert len({run.call.run_id for run in started}) == 50


async def test_what_is_due_now_does_not_wait_behind_what_is_caught_up(ledger: Ledger, clock: FakeClock) -> None:
    late = await _late(ledger, clock, 30)
    new = await ledger.create("new", "* * * * *")
    assert len((await ledger.starts.start(ME, late)).begun) == 10
    clock.step(MINUTE)
    assert len((await ledger.claim(clock.now(), new)).started) == 1
    assert await ledger.starts.pending(1000, [], timedelta(0)) == []


async def test_at_one_gate_what_is_due_now_comes_before_what_is_caught_up(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(policies=Policies(overlap=Overlap.QUEUE, misfire=Misfire(policy=MisfirePolicy.ALL)))
    clock.step(10 * MINUTE)
    [first] = (await ledger.claim(clock.now(), job)).started
    await ledger.starts.start(ME, await open_runs(ledger))
    assert {run.waiting_for for run in await ledger.runs_of(job)} == {None, f"job {job.uid}"}
    await ledger.record(ended(first))
    [found] = await open_runs(ledger)
    [run] = [run for run in await ledger.runs_of(job) if run.id == found.run_id]
    assert run.trigger == "schedule"


async def test_a_replica_that_is_told_another_rate_brings_it(ledger: Ledger, clock: FakeClock) -> None:
    found = await _late(ledger, clock, 20)
    assert len((await ledger.starts.start(ME, found)).begun) == 10
    told = StartTransaction(ledger.database, catch_up_rate=3)
    assert (await told.start(ME, found)).begun == []
    clock.step(MINUTE)
    assert len((await told.start(ME, found)).begun) == 3
    kept = await get_limit(ledger, CATCH_UP_KEY)
    assert kept is not None
    assert (kept.rate_per_second, kept.waiting) == (3, 7)
    async with ledger.database.read() as connection:
        assert await LimitRepository(connection).page(None, 10) == []
