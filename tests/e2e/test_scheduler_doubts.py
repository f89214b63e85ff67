"""Replies that are lost after the commit: what the ledger has and the replica doesn't know of is settled."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.engine import Database
from app.db.partitions import ensure_partitions
from app.domain.clock import FakeClock
from tests.db.building import every_instant_is_accounted_for
from tests.unit.scheduler.building import MINUTE, NOON
from tests.unit.scheduler.fake_store import away
from tests.unit.scheduler.replica import Replica, ServerClock, running


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOON)


@pytest.fixture
def server(clock: FakeClock) -> ServerClock:
    return ServerClock(clock)


@pytest.fixture
async def replica(database_url: str, clock: FakeClock, server: ServerClock) -> AsyncIterator[Replica]:
    async with running(database_url, clock, server) as started:
        yield started


class LosesOneReply:
    """A database whose first commit is made and not told."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.lost = 0

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        async with self._database.begin() as connection:
            yield connection
        if not self.lost:
            self.lost += 1
            raise away()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)


async def test_a_claim_whose_reply_was_lost_is_called_after_two_looks(
    replica: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    claims = replica.ledger.claims
    await ensure_partitions(replica.ledger.database, [NOON])
    database = LosesOneReply(replica.ledger.database)
    monkeypatch.setattr(claims, "_database", database)
    job = await replica.create()
    await replica.pass_time(60, step=5)
    assert (await replica.ledger.run_of(job)).state == "running"
    assert (replica.target.calls, replica.service.slots.free) == ([], 200)
    await replica.pass_time(25)
    [call] = replica.target.calls
    assert (call.scheduled_for, call.attempt) == (NOON + MINUTE, 1)
    await replica.recorded(1)
    run = await replica.ledger.run_of(job)
    assert (run.state, run.attempt, run.takeovers) == ("succeeded", 1, 0)
    await replica.pass_time(60, step=5)
    await every_instant_is_accounted_for(replica.ledger, job, [NOON + MINUTE, NOON + 2 * MINUTE])


async def test_a_start_whose_reply_was_lost_is_called_after_two_looks(
    replica: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    starts = replica.ledger.starts
    database = LosesOneReply(replica.ledger.database)
    monkeypatch.setattr(starts, "_database", database)
    job = await replica.create(schedule="@manual")
    await replica.runs.trigger("job")
    await replica.pass_time(5)
    assert ((await replica.ledger.run_of(job)).state, replica.target.calls) == ("running", [])
    await replica.pass_time(25)
    [call] = replica.target.calls
    assert (call.attempt, replica.service.slots.free) == (1, 200)


async def test_a_record_whose_reply_was_lost_is_written_once(replica: Replica, monkeypatch: pytest.MonkeyPatch) -> None:
    records = replica.ledger.records
    database = LosesOneReply(replica.ledger.database)
    monkeypatch.setattr(records, "_database", database)
    job = await replica.create(schedule="@manual")
    await replica.runs.trigger("job")
    await replica.pass_time(30)
    run = await replica.ledger.run_of(job)
    assert (run.state, run.attempt, len(replica.target.calls)) == ("succeeded", 1, 1)
    assert replica.service.recorder.holds() == set()


async def test_a_database_that_was_away_for_minutes_costs_no_instant(
    replica: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Away for claims, starts, records and looks alike, for longer than a lease."""
    job = await replica.create()
    await replica.pass_time(60, step=5)
    with monkeypatch.context() as cut:
        for way in ("begin", "read"):
            cut.setattr(replica.ledger.database, way, _refuse)
        await replica.pass_time(150, step=5)
    assert not replica.service.lease.held()
    await replica.pass_time(5)
    instants = [NOON + n * MINUTE for n in (1, 2, 3)]
    assert sorted(call.scheduled_for for call in replica.target.calls) == instants
    await every_instant_is_accounted_for(replica.ledger, job, instants)


async def test_a_call_that_outlasts_the_lease_without_a_database_is_cut_and_made_again(
    replica: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    replica.target.holding = True
    job = await replica.create(schedule="@manual")
    await replica.runs.trigger("job")
    [first] = await replica.target.wait_for(1)
    with monkeypatch.context() as cut:
        for way in ("begin", "read"):
            cut.setattr(replica.ledger.database, way, _refuse)
        await replica.pass_time(35, step=5)
        assert replica.target.cut == [first]
    await replica.pass_time(3)
    [_, again] = replica.target.calls
    assert (again.run_id, again.attempt) == (first.run_id, 2)
    replica.target.release()
    await replica.recorded(2)
    run = await replica.ledger.run_of(job)
    assert (run.state, run.attempt, run.takeovers) == ("succeeded", 2, 0)


@asynccontextmanager
async def _refuse() -> AsyncIterator[AsyncConnection]:
    raise away()
    yield
