"""Changes that others make: told, polled, or found by comparison. Whatever the map believes, the rows decide."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from app.db.changes import PostgresChangeFeed
from app.db.transaction import transaction
from app.domain.clock import FakeClock
from app.domain.job import JobDefinition
from tests.db.building import Ledger, every_instant_is_accounted_for, opened
from tests.unit.scheduler.building import NOON, SECOND
from tests.unit.scheduler.replica import Replica, ServerClock, running

SECONDLY = "* * * * * *"
POLL, COMPARE = 5, 30


@pytest.fixture
async def other(database_url: str, server: ServerClock) -> AsyncIterator[Ledger]:
    """Another process, whose scheduler this replica doesn't hear."""
    async with opened(database_url, server) as ledger:
        yield ledger


@pytest.fixture
async def listening(postgres_url: str, clock: FakeClock, server: ServerClock) -> AsyncIterator[Replica]:
    async with running(postgres_url, clock, server, feed=PostgresChangeFeed(postgres_url)) as started:
        yield started


async def test_others_changes_are_told_as_they_are_committed(listening: Replica, postgres_url: str) -> None:
    async with opened(postgres_url, listening.server) as other:
        job = await other.create()
        await listening.sees({job.id: 1})
        await other.jobs.edit("job", lambda old: replace(old.definition(), schedule=SECONDLY))
        await listening.sees({job.id: 2})
        await other.jobs.delete("job")
        await listening.sees({})
        assert listening.clock.monotonic() == 0


async def test_others_changes_that_nobody_told_are_polled(replica: Replica, other: Ledger) -> None:
    job = await other.create()
    await replica.pass_time(POLL)
    assert replica.service.entries.versions() == {job.id: 1}
    await other.jobs.edit("job", lambda old: replace(old.definition(), schedule=SECONDLY))
    await replica.pass_time(POLL)
    assert replica.service.entries.versions() == {job.id: 2}


async def test_a_deletion_that_nobody_told_is_found_by_comparison(replica: Replica, other: Ledger) -> None:
    gone, kept = await replica.create("gone"), await replica.create("kept")
    await replica.sees({gone.id: 1, kept.id: 1})
    await other.execute("DELETE FROM cron_jobs WHERE name = 'gone'")
    await replica.pass_time(COMPARE, step=5)
    assert replica.service.entries.versions() == {kept.id: 1}


async def test_a_transaction_that_commits_long_after_its_stamp_is_found_by_comparison(
    postgres_url: str, clock: FakeClock, server: ServerClock
) -> None:
    """A poll for everything stamped since the last one, and a minute, would never see it."""
    async with (
        running(postgres_url, clock, server) as replica,
        opened(postgres_url, server) as other,
    ):
        definition = JobDefinition(name="late", schedule=SECONDLY, endpoint="http://one.example/")
        async with transaction(other.database) as tx:
            job = await other.jobs._create(tx, definition)
            await replica.pass_time(120, step=5)
        assert replica.service.entries.versions() == {}
        await replica.pass_time(COMPARE, step=5)
        assert replica.service.entries.versions() == {job.id: 1}
        await replica.target.wait_for(1)


async def test_what_the_map_has_not_heard_of_yet_is_not_called_all_the_same(replica: Replica, other: Ledger) -> None:
    """Paused, deleted and edited by others, and due before the next poll."""
    jobs = [await replica.create(name, SECONDLY) for name in ("paused", "deleted", "edited")]
    await replica.pass_time(2)
    await other.jobs.set_enabled("paused", enabled=False)
    await other.jobs.delete("deleted")
    await other.jobs.edit("edited", lambda old: replace(old.definition(), endpoint="http://new.example/"))
    before = len(replica.target.calls)
    await replica.pass_time(3)
    later = {(call.job_name, call.endpoint, call.job_version) for call in replica.target.calls[before:]}
    assert later == {("edited", "http://new.example/", 2)}
    for job in jobs:
        last = 2 if job.name == "deleted" else 5
        await every_instant_is_accounted_for(replica.ledger, job, [NOON + n * SECOND for n in range(1, last + 1)])


async def test_the_stop_switch_stops_a_replica_that_has_not_heard_of_it(replica: Replica, other: Ledger) -> None:
    job = await replica.create(schedule=SECONDLY)
    await replica.pass_time(2)
    await other.switch.pause()
    await replica.pass_time(10)
    assert len(replica.target.calls) == 2
    await other.switch.resume()
    await replica.pass_time(COMPARE)
    assert replica.target.calls[-1].scheduled_for == NOON + 42 * SECOND
    await every_instant_is_accounted_for(replica.ledger, job, [NOON + n * SECOND for n in range(1, 43)])
