"""Times are UTC with microseconds on every dialect, and what is due is judged by the database's clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select, text

from app.db.tables import cron_jobs
from tests.db.building import JUST, NOON, SECOND, Ledger, opened


@pytest.mark.parametrize(
    "at",
    [
        NOON,
        NOON + JUST,
        datetime(2027, 10, 31, 2, 30, fold=1, tzinfo=ZoneInfo("Europe/Berlin")),
        datetime(1970, 1, 1, 0, 0, 0, 1, tzinfo=UTC),
        datetime(2099, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    ],
)
async def test_an_instant_comes_back_as_it_went(ledger: Ledger, at: datetime) -> None:
    job = await ledger.create()
    await ledger.overwrite(job, next_run=at)
    found = (await ledger.row_of(job)).next_run
    assert (found, found.tzinfo) == (at.astimezone(UTC), UTC)


async def test_instants_sort_to_the_microsecond(ledger: Ledger) -> None:
    await ledger.populate(3)
    order = [NOON, NOON + JUST, NOON + SECOND]
    for number, at in zip((2, 0, 1), order, strict=True):
        await ledger.execute(
            "UPDATE cron_jobs SET problem = :n WHERE name = :name", n=str(number), name=f"job-{number}"
        )
        async with ledger.database.begin() as connection:
            await connection.execute(cron_jobs.update().where(cron_jobs.c.name == f"job-{number}").values(next_run=at))
    async with ledger.database.read() as connection:
        found = await connection.scalars(select(cron_jobs.c.name).order_by(cron_jobs.c.next_run))
        assert list(found) == ["job-2", "job-0", "job-1"]
        later = select(cron_jobs.c.name).where(cron_jobs.c.next_run > NOON)
        assert sorted(await connection.scalars(later)) == ["job-0", "job-1"]


async def test_the_databases_clock_goes_on_within_a_transaction(database_url: str) -> None:
    async with opened(database_url, None) as ledger, ledger.database.begin() as connection:
        now = select(ledger.database.now)
        first = (await connection.execute(now)).scalar_one()
        second = (await connection.execute(now)).scalar_one()
        ago = (await connection.execute(select(ledger.database.ago(timedelta(minutes=5))))).scalar_one()
    assert first < second
    assert abs((datetime.now(UTC) - first).total_seconds()) < 60
    assert timedelta(minutes=4) < second - ago < timedelta(minutes=6)


async def test_a_reader_on_sqlite_is_not_kept_waiting_by_a_writer(sqlite_url: str) -> None:
    async with opened(sqlite_url, None) as ledger, opened(sqlite_url, None) as other:
        job = await ledger.create()
        async with ledger.database.begin() as writing:
            await writing.execute(text("UPDATE cron_jobs SET problem = 'x'"))
            assert (await other.row_of(job)).problem is None
        assert (await other.row_of(job)).problem == "x"


async def test_the_pragmas_that_sqlite_needs_are_set(sqlite_url: str) -> None:
    wanted = {"journal_mode": "wal", "foreign_keys": 1, "busy_timeout": 10000, "synchronous": 2}
    async with opened(sqlite_url, None) as ledger, ledger.database.read() as connection:
        found = {name: await connection.scalar(text(f"PRAGMA {name}")) for name in wanted}
    assert found == wanted
