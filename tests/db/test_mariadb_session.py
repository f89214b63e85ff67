"""What each session on MariaDB is set up for."""

from __future__ import annotations

from sqlalchemy import text

from tests.db.building import Ledger


async def test_an_update_computes_from_the_row_as_it_was(mariadb: Ledger) -> None:
    job = await mariadb.create()
    await mariadb.execute("UPDATE cron_jobs SET version = version + 1, runs_made = version")
    row = await mariadb.row_of(job)
    assert (row.version, row.runs_made) == (2, 1)


async def test_statements_see_what_was_committed_before_them_in_utc(mariadb: Ledger) -> None:
    async with mariadb.database.read() as connection:
        found = (await connection.execute(text("SELECT @@tx_isolation, @@time_zone, @@join_cache_level"))).one()
    assert tuple(found) == ("READ-COMMITTED", "+00:00", 0)
