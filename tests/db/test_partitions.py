from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import text

from app.db.partitions import PartitionKeeper, ensure_partitions
from app.domain.clock import FakeClock
from tests.db.building import ME, MINUTE, NOON, OTHER, Ledger, roomy
from tests.db.locks import gate

DUE = NOON + MINUTE
TODAY = f"job_runs_{NOON:%Y%m%d}"


async def _partitions(ledger: Ledger) -> list[str]:
    query = text("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'job_runs'::regclass")
    async with ledger.database.read() as connection:
        return sorted(await connection.scalars(query))


async def test_a_day_is_made_once_by_whoever_needs_it(postgres: Ledger, rival: Ledger) -> None:
    days = [NOON + timedelta(days=number) for number in range(5)]
    await asyncio.gather(*[ensure_partitions(each.database, days) for each in (postgres, rival) * 4])
    made = [name for name in await _partitions(postgres) if name >= TODAY]
    assert made == [f"job_runs_{day:%Y%m%d}" for day in days]


async def test_two_claims_that_both_find_no_partition_both_succeed(
    postgres: Ledger, rival: Ledger, clock: FakeClock
) -> None:
    one, two = await postgres.create("one"), await postgres.create("two")
    clock.step(MINUTE)
    candidates = [await postgres.candidate(job, DUE) for job in (one, two)]
    both = await asyncio.gather(
        postgres.claims.claim(ME, candidates[:1], roomy()), rival.claims.claim(OTHER, candidates[1:], roomy())
    )
    assert [len(claims.started) for claims in both] == [1, 1]


async def test_a_day_ends_at_midnight_utc(postgres: Ledger, clock: FakeClock) -> None:
    job = await postgres.create(schedule="59,0 23,0 * * *", timezone="Asia/Kathmandu", starts_at=NOON)
    for _ in range(3):
        clock.step(timedelta(days=1))
        await postgres.claim(clock.now(), job)
    async with postgres.database.read() as connection:
        query = text("SELECT tableoid::regclass::text AS name, ledger_at FROM job_runs")
        found = (await connection.execute(query)).all()
    assert len(found) > 6
    assert [row.name for row in found] == [f"job_runs_{row.ledger_at:%Y%m%d}" for row in found]


@pytest.mark.usefixtures("two_weeks_ahead")
async def test_upkeep_makes_two_weeks_ahead(postgres: Ledger) -> None:
    await ensure_partitions(postgres.database)
    ahead = await _partitions(postgres)
    assert len(ahead) > 14
    for name in ahead[-3:]:
        await postgres.execute(f"DROP TABLE {name}")
    await PartitionKeeper(postgres.database).tend()
    assert set(ahead) <= set(await _partitions(postgres))


async def test_a_day_of_runs_has_its_attempts_too(postgres: Ledger) -> None:
    lost = f"job_attempts_{NOON:%Y%m%d}"
    await ensure_partitions(postgres.database, [NOON])
    await postgres.execute(f"DROP TABLE {lost}")
    await PartitionKeeper(postgres.database).tend()
    query = text("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'job_attempts'::regclass")
    async with postgres.database.read() as connection:
        assert lost in await connection.scalars(query)


async def test_upkeep_that_was_made_is_made_again_without_harm(ledger: Ledger) -> None:
    for _ in range(2):
        await PartitionKeeper(ledger.database).tend()


async def test_partitions_of_other_names_are_left_alone(postgres: Ledger) -> None:
    others = ['"Job Runs"', "job_runs_20261399", "job_runs_old"]
    for year, name in enumerate(others, start=2001):
        await postgres.execute(f"CREATE TABLE {name} (LIKE job_runs INCLUDING ALL)")
        bounds = f"FROM ('{year}-01-01') TO ('{year + 1}-01-01')"
        await postgres.execute(f"ALTER TABLE job_runs ATTACH PARTITION {name} FOR VALUES {bounds}")
    await ensure_partitions(postgres.database, [NOON])
    assert {*others, TODAY} <= set(await _partitions(postgres))


async def test_where_no_day_is_missing_nobody_waits_for_who_makes_one(postgres: Ledger) -> None:
    await ensure_partitions(postgres.database, [NOON])
    making = "SELECT pg_advisory_xact_lock(hashtext('cronledger partitions'))"
    async with gate(postgres.url, making), asyncio.timeout(5):
        await ensure_partitions(postgres.database, [NOON])


async def test_readers_do_not_keep_a_new_day_waiting(postgres: Ledger) -> None:
    async with gate(postgres.url, "SELECT count(*) FROM job_runs"), asyncio.timeout(5):
        await ensure_partitions(postgres.database, [NOON])
    assert TODAY in await _partitions(postgres)


async def test_writers_do_not_keep_a_new_day_waiting(postgres: Ledger, clock: FakeClock) -> None:
    job = await postgres.create()
    clock.step(MINUTE)
    await postgres.claim(DUE, job)
    async with gate(postgres.url, "UPDATE job_runs SET reason = 'x'"), asyncio.timeout(5):
        await ensure_partitions(postgres.database, [NOON + timedelta(days=1)])
