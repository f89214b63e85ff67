"""PgBouncer in transaction mode before PostgreSQL, with fewer sessions than the replicas have connections."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta

import pytest

from app.db.engine import connect
from app.db.migrate import differences
from app.db.partitions import make_partitions
from app.domain.clock import FakeClock
from tests.db.building import NOON, Ledger, opened
from tests.db.keeping import DAY, days_ago, pruned, runs_at, tables_of
from tests.db.locks import gate
from tests.e2e.audited import api_tells_that_nothing_is_unaccounted
from tests.e2e.client import Api, assert_no_gap, eventually, instants, repeated
from tests.servers.pgbouncer import running_pgbouncer
from tests.servers.postgres import PostgresServer
from tests.servers.replica import Replicas
from tests.servers.sink import Sink

SESSIONS = 5
POLL = 1
AT_ONCE = {"LEASE_SECONDS": "2", "POLL_SECONDS": f"{POLL}"}
OLD = days_ago(40)


@pytest.fixture
def bounced_url(postgres_url: str) -> Iterator[str]:
    with running_pgbouncer(postgres_url, SESSIONS) as url:
        yield url


@pytest.fixture
def empty_url(postgres_server: PostgresServer) -> Iterator[str]:
    url = postgres_server.create_database()
    with running_pgbouncer(url, SESSIONS) as bounced:
        yield bounced
    postgres_server.drop_database(url)


async def test_replicas_see_changes_by_poll_run_each_instant_once_and_one_takes_over(
    postgres_url: str, bounced_url: str, replicas: Replicas, sink: Sink
) -> None:
    pair = [await replicas.start(bounced_url, AT_ONCE), await replicas.start(bounced_url, AT_ONCE)]
    one, other = [Api(replica.url) for replica in pair]
    jobs = [f"job-{number}" for number in range(10)]
    for job in jobs:
        await one.create(job, f"{sink.url}/{job}", overlap="allow")
    await eventually(lambda: knows(other, set(jobs)), timeout=POLL + 2)
    await other.delete(jobs[0])
    await eventually(lambda: knows(one, set(jobs[1:])), timeout=POLL + 2)
    await asyncio.gather(*(sink.wait_for(4, path=f"/{job}") for job in jobs[1:]))
    await pair[0].kill()
    calls = len(sink.calls)
    await sink.wait_for(calls + 60, timeout=20)
    runs = await other.runs(trigger="schedule")
    for job in jobs[1:]:
        assert_no_gap(instants([run for run in runs if run["job_name"] == job]))
        attempts = [call for call in sink.calls if call.path == f"/{job}" and call.headers["Cronledger-Attempt"] == "1"]
        assert not repeated(attempts)
    await api_tells_that_nothing_is_unaccounted(postgres_url, other)
    for api in (one, other):
        await api.close()


async def knows(api: Api, names: set[str]) -> bool:
    return await api.entries() == names


async def test_two_that_start_on_an_empty_database_migrate_it_once(empty_url: str, replicas: Replicas) -> None:
    await asyncio.gather(*(replicas.start(empty_url) for _ in range(2)))
    assert await asyncio.to_thread(differences, empty_url) == []


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOON)


async def test_a_day_goes_once_while_others_work_behind_the_same_sessions(bounced_url: str, clock: FakeClock) -> None:
    async with opened(bounced_url, clock) as one, opened(bounced_url, clock) as other:
        job = await one.create()
        async with one.database.begin() as connection:
            await make_partitions(connection, [OLD, OLD - DAY])
        await runs_at(one, job, OLD, OLD - DAY)
        await asyncio.gather(pruned(one), pruned(other), *(edits(each, 20) for each in (one, other)))
        assert await tables_of(one, [OLD, OLD - DAY]) == set()


async def edits(ledger: Ledger, count: int) -> None:
    for number in range(count):
        await ledger.patch("job", description=str(number))


async def test_a_day_waits_for_its_reader_and_the_schedule_does_not(
    postgres_url: str, bounced_url: str, clock: FakeClock
) -> None:
    async with opened(bounced_url, clock) as one, opened(bounced_url, clock) as other:
        job = await one.create()
        async with one.database.begin() as connection:
            await make_partitions(connection, [OLD])
        async with gate(postgres_url, "SELECT count(*) FROM job_runs") as reader:
            retention = asyncio.create_task(pruned(other))
            await reader.until_waiting(1)
            clock.step(timedelta(minutes=1))
            async with asyncio.timeout(2):
                await one.claim(clock.now(), job)
            assert not retention.done()
            await reader.open()
            await retention
        assert await tables_of(one, [OLD]) == set()


async def test_settings_last_for_a_transaction_and_stay_with_nobody(bounced_url: str) -> None:
    """Those who share its sessions have not asked for ours."""
    ours, theirs = connect(bounced_url), connect(bounced_url, patience=None)
    name = "SELECT current_setting('idle_in_transaction_session_timeout')"
    try:
        for _ in range(2 * SESSIONS):
            async with ours.begin() as connection:
                assert (await connection.exec_driver_sql(name)).scalar_one() == "8s"
            async with theirs.read() as connection:
                assert (await connection.exec_driver_sql(name)).scalar_one() == "0"
    finally:
        await ours.close()
        await theirs.close()
