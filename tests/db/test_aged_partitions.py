"""On PostgreSQL whole days go, and nobody waits for it."""

from __future__ import annotations

import asyncio
from datetime import datetime

import asyncpg
import pytest

from app.db import aged_partitions as module
from app.db.aged_partitions import drop_aged
from app.db.partitions import PartitionKeeper, make_partitions
from app.domain.clock import FakeClock
from app.domain.policies import Policies
from tests.db.building import MINUTE, NOON, Ledger, scheduled
from tests.db.keeping import DAY, days_ago, pruned, runs_at, tables_of
from tests.db.locks import gate
from tests.servers.postgres import plain_dsn

OLD = days_ago(40)
DETACH = f"ALTER TABLE job_runs DETACH PARTITION job_runs_{OLD:%Y%m%d} CONCURRENTLY"


@pytest.fixture(autouse=True)
async def _only_days_of_these_tests(postgres: Ledger) -> None:
    """The clock of the tests is ahead: days that the migration made have aged already."""
    await pruned(postgres)


async def day_of(ledger: Ledger, *days: datetime) -> None:
    async with ledger.database.begin() as connection:
        await make_partitions(connection, days)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.5)


async def test_a_whole_day_goes_and_is_not_made_again(postgres: Ledger) -> None:
    job = await postgres.create()
    await runs_at(postgres, job, OLD, days_ago(30))
    await pruned(postgres)
    await PartitionKeeper(postgres.database).tend()
    assert await tables_of(postgres, [OLD]) == set()
    assert len(await tables_of(postgres, [days_ago(30)])) == 2
    assert scheduled(await postgres.runs_of(job)) == [days_ago(30)]


async def test_a_day_goes_when_its_last_moment_is_old_enough(postgres: Ledger, clock: FakeClock) -> None:
    await day_of(postgres, OLD)
    midnight = OLD.replace(hour=0) + DAY
    clock.step(midnight + 30 * DAY - MINUTE - NOON)
    await pruned(postgres)
    assert len(await tables_of(postgres, [OLD])) == 2
    clock.step(MINUTE)
    await pruned(postgres)
    assert await tables_of(postgres, [OLD]) == set()


async def test_partitions_of_other_names_are_let_be(postgres: Ledger) -> None:
    await postgres.execute("CREATE TABLE job_runs_old (LIKE job_runs INCLUDING ALL)")
    await postgres.execute(
        "ALTER TABLE job_runs ATTACH PARTITION job_runs_old FOR VALUES FROM ('2001-01-01') TO ('2002-01-01')"
    )
    await postgres.execute("CREATE TABLE job_runs_20010101 (LIKE job_runs INCLUDING ALL)")
    await pruned(postgres)
    await postgres.execute("SELECT count(*) FROM job_runs_old, job_runs_20010101")


async def test_a_day_that_can_not_go_holds_up_nothing_else(postgres: Ledger) -> None:
    """Nothing is detached concurrently beside a default partition."""
    await postgres.execute("CREATE TABLE job_runs_rest (LIKE job_runs INCLUDING ALL)")
    await postgres.execute("ALTER TABLE job_runs ATTACH PARTITION job_runs_rest DEFAULT")
    job = await postgres.create(policies=Policies(keep_runs=1))
    await runs_at(postgres, job, OLD, days_ago(3), days_ago(2))
    await pruned(postgres)
    assert len(await tables_of(postgres, [OLD])) == 2
    assert scheduled(await postgres.runs_of(job)) == [days_ago(2)]
    await postgres.execute("DROP TABLE job_runs_rest")
    await pruned(postgres)
    assert await tables_of(postgres, [OLD]) == set()


@pytest.mark.usefixtures("impatient")
async def test_a_reader_that_stays_keeps_only_the_day_it_may_read(postgres: Ledger, clock: FakeClock) -> None:
    job = await postgres.create()
    await runs_at(postgres, job, OLD)
    async with gate(postgres.url, "SELECT count(*) FROM job_runs"), asyncio.timeout(5):
        await pruned(postgres)
        clock.step(MINUTE)
        await postgres.claim(clock.now(), job)
    assert scheduled(await postgres.runs_of(job)) == [NOON + MINUTE]
    assert await tables_of(postgres, [OLD]) != set()
    await pruned(postgres)
    assert await tables_of(postgres, [OLD]) == set()


async def test_the_schedule_goes_on_while_a_day_waits_for_its_reader(
    postgres: Ledger, rival: Ledger, clock: FakeClock
) -> None:
    job = await postgres.create()
    await runs_at(postgres, job, OLD)
    async with gate(postgres.url, "SELECT count(*) FROM job_runs") as reader:
        round_of_retention = asyncio.create_task(pruned(rival))
        await reader.until_waiting(1)
        clock.step(MINUTE)
        async with asyncio.timeout(1):
            await postgres.claim(clock.now(), job)
            assert len(await postgres.runs_of(job)) == 1
        assert not round_of_retention.done()
        await reader.open()
        await round_of_retention
    assert await tables_of(postgres, [OLD]) == set()


async def test_a_detach_that_was_interrupted_is_finalised(postgres: Ledger) -> None:
    job = await postgres.create()
    await runs_at(postgres, job, OLD)
    connection = await asyncpg.connect(plain_dsn(postgres.url))
    async with gate(postgres.url, "SELECT count(*) FROM job_runs"):
        await connection.execute("SET lock_timeout = '50ms'")
        with pytest.raises(asyncpg.LockNotAvailableError):
            await connection.execute(DETACH)
    pending = "SELECT count(*) FROM pg_inherits WHERE inhdetachpending"
    assert await connection.fetchval(pending) == 1
    await pruned(postgres)
    assert await connection.fetchval(pending) == 0
    await connection.close()
    assert await tables_of(postgres, [OLD]) == set()


async def test_a_day_that_was_detached_and_not_dropped_is_dropped(postgres: Ledger) -> None:
    await runs_at(postgres, await postgres.create(), OLD)
    await postgres.execute(f"COMMENT ON TABLE job_runs_{OLD:%Y%m%d} IS '{module.MARK}'")
    await postgres.execute(DETACH.removesuffix(" CONCURRENTLY"))
    await pruned(postgres)
    assert await tables_of(postgres, [OLD]) == set()


async def test_who_comes_second_leaves_it_to_the_first(postgres: Ledger) -> None:
    await day_of(postgres, OLD)
    async with gate(postgres.url, "SELECT pg_advisory_lock(hashtext('cronledger retention'))"):
        assert await drop_aged(postgres.database, NOON - 30 * DAY) is False
        assert len(await tables_of(postgres, [OLD])) == 2
    await drop_aged(postgres.database, NOON - 30 * DAY)
    assert await tables_of(postgres, [OLD]) == set()


async def test_when_it_is_enough_the_rest_is_left_for_later(postgres: Ledger) -> None:
    days = [days_ago(40 + each) for each in range(3)]
    await day_of(postgres, *days)
    left = []
    more = True
    while more:
        more = await drop_aged(postgres.database, NOON - 30 * DAY, enough=lambda: True)
        left.append(len(await tables_of(postgres, days)))
    assert left == [4, 2, 0]


async def test_a_day_that_is_pending_goes_first(postgres: Ledger) -> None:
    """PostgreSQL detaches one partition of a table at a time."""
    await runs_at(postgres, await postgres.create(), OLD, OLD - DAY, OLD + DAY)
    connection = await asyncpg.connect(plain_dsn(postgres.url))
    async with gate(postgres.url, "SELECT count(*) FROM job_runs"):
        await connection.execute("SET lock_timeout = '50ms'")
        with pytest.raises(asyncpg.LockNotAvailableError):
            await connection.execute(DETACH)
    await connection.close()
    await pruned(postgres)
    assert await tables_of(postgres, [OLD - DAY, OLD, OLD + DAY]) == set()
