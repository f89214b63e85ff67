"""Replies that are lost after the commit: what the ledger has and the replica doesn't know of is settled."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.engine import Database
from app.db.partitions import ensure_partitions
from tests.db.building import every_instant_is_accounted_for
from tests.unit.scheduler.building import MINUTE, NOON, pass_time
from tests.unit.scheduler.fake_store import away
from tests.unit.scheduler.replica import LOOPS, Replica

AT_ONCE = 2
"""Seconds: what went back is pending, and pending runs are looked for every second, once they are overdue by one."""

WAITING = 2
"""Loops: the one whose transaction is not answered, and the looks at doubtful commits, which wait for it."""


class AnswersLate:
    """A database whose commits are made at once, and told when the test says so."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.committed, self.told = asyncio.Event(), asyncio.Event()

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        async with self._database.begin() as connection:
            yield connection
        self.committed.set()
        await self.told.wait()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)


class LosesOneReply:
    """A database whose first commit is made and not told; `afterwards` is what happens then."""

    def __init__(self, database: Database, afterwards: Callable[[], None] = lambda: None) -> None:
        self._database = database
        self._afterwards = afterwards
        self.lost = 0

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        async with self._database.begin() as connection:
            yield connection
        if not self.lost:
            self.lost += 1
            self._afterwards()
            raise away()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)


async def test_a_claim_whose_reply_was_lost_is_called_at_once(
    replica: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    claims = replica.ledger.claims
    await ensure_partitions(replica.ledger.database, [NOON])
    database = LosesOneReply(replica.ledger.database)
    monkeypatch.setattr(claims, "_database", database)
    job = await replica.create()
    await replica.pass_time(60, step=5)
    assert (database.lost, (await replica.ledger.run_of(job)).state) == (1, "pending")
    assert (replica.target.calls, replica.service.slots.free) == ([], 200)
    await replica.pass_time(AT_ONCE)
    [call] = replica.target.calls
    assert (call.scheduled_for, call.attempt) == (NOON + MINUTE, 1)
    await replica.recorded(1)
    run = await replica.ledger.run_of(job)
    assert (run.state, run.attempt, run.takeovers) == ("succeeded", 1, 0)
    await replica.pass_time(60, step=5)
    await every_instant_is_accounted_for(replica.ledger, job, [NOON + MINUTE, NOON + 2 * MINUTE])


async def test_a_start_whose_reply_was_lost_is_called_at_once(
    replica: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    starts = replica.ledger.starts
    database = LosesOneReply(replica.ledger.database)
    monkeypatch.setattr(starts, "_database", database)
    job = await replica.create(schedule="@manual")
    await replica.runs.trigger("job")
    await replica.pass_time(AT_ONCE)
    [call] = replica.target.calls
    assert (database.lost, call.attempt, replica.service.slots.free) == (1, 1, 200)
    await replica.recorded(1)
    run = await replica.ledger.run_of(job)
    assert (run.state, run.attempt, run.takeovers) == ("succeeded", 1, 0)


async def test_a_claim_whose_reply_was_lost_with_the_database_is_called_once_that_is_back(
    replica: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The usual case: the looks fail too, until long after the claim."""
    claims = replica.ledger.claims
    await ensure_partitions(replica.ledger.database, [NOON])
    job = await replica.create()
    await replica.pass_time(55, step=5)
    with monkeypatch.context() as cut:
        database = LosesOneReply(replica.ledger.database, lambda: _cut_off(replica, cut))
        monkeypatch.setattr(claims, "_database", database)
        await replica.pass_time(17)
        assert (database.lost, replica.target.calls) == (1, [])
    assert (await replica.ledger.run_of(job)).state == "running"
    await replica.pass_time(0.5, step=0.5)
    assert (await replica.ledger.run_of(job)).state == "pending"
    await replica.pass_time(AT_ONCE)
    [call] = replica.target.calls
    assert (call.scheduled_for, call.attempt) == (NOON + MINUTE, 1)


async def test_a_start_whose_reply_is_slow_is_never_handed_back(
    replica: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For ten minutes, in which the ledger says that it is ours."""
    database = AnswersLate(replica.ledger.database)
    monkeypatch.setattr(replica.ledger.starts, "_database", database)
    job = await replica.create(schedule="@manual")
    await replica.runs.trigger("job")
    await asyncio.wait_for(database.committed.wait(), 5)
    await pass_time(replica.clock, 600, LOOPS - WAITING, step=10)
    run = await replica.ledger.run_of(job)
    assert (run.state, run.attempt, replica.target.calls) == ("running", 1, [])
    database.told.set()
    [call] = await replica.target.wait_for(1)
    assert call.attempt == 1
    await replica.recorded(1)
    assert (await replica.ledger.run_of(job)).state == "succeeded"


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
        _cut_off(replica, cut)
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
        _cut_off(replica, cut)
        await replica.pass_time(35, step=5)
        assert replica.target.cut == [first]
    await replica.pass_time(3)
    [_, again] = replica.target.calls
    assert (again.run_id, again.attempt) == (first.run_id, 2)
    replica.target.release()
    await replica.recorded(2)
    run = await replica.ledger.run_of(job)
    assert (run.state, run.attempt, run.takeovers) == ("succeeded", 2, 0)


def _cut_off(replica: Replica, patch: pytest.MonkeyPatch) -> None:
    for way in ("begin", "read"):
        patch.setattr(replica.ledger.database, way, _refuse)


@asynccontextmanager
async def _refuse() -> AsyncIterator[AsyncConnection]:
    raise away()
    yield
