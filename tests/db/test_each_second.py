"""What each replica asks each second goes by a small index, however long the ledger and the list of jobs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import asyncpg
import pytest

from app.domain.clock import FakeClock
from tests.db.building import ME, MINUTE, NOON, Ledger, minutes, opened, roomy
from tests.db.plans import explain, listening, most_read
from tests.servers.postgres import plain_dsn

Ask = Callable[[Ledger], Awaitable[Any]]
ASKED: list[tuple[str, Ask, str]] = [
    ("cancels", lambda ledger: ledger.cancels.asked(ME), "idx_job_runs_canceling"),
    ("pauses", lambda ledger: ledger.pauses.end_due(), "idx_cron_jobs_paused_until"),
]
each = pytest.mark.parametrize(("ask", "index"), [row[1:] for row in ASKED], ids=[row[0] for row in ASKED])


@pytest.fixture
async def sqlite(sqlite_url: str, clock: FakeClock) -> AsyncIterator[Ledger]:
    async with opened(sqlite_url, clock) as ledger:
        yield ledger


async def _fill(ledger: Ledger, clock: FakeClock) -> None:
    """2,000 jobs with a run each that has ended, by hand, and one that is called."""
    await ledger.populate(2000)
    await ledger.create("called")
    clock.step(MINUTE)
    await ledger.claims.claim(ME, await ledger.candidates(minutes(NOON, 2)[1]), roomy())
    await ledger.execute("UPDATE job_runs SET state = 'succeeded' WHERE job_name != 'called'")


@each
async def test_on_sqlite(sqlite: Ledger, clock: FakeClock, ask: Ask, index: str) -> None:
    await _fill(sqlite, clock)
    with listening(sqlite.database) as sent:
        await ask(sqlite)
    statement, parameters = next(each for each in sent if "FROM job_runs" in each[0] or "FROM cron_jobs" in each[0])
    async with sqlite.database.read() as connection:
        plan = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        assert [index in row.detail for row in plan] == [True]


@each
async def test_on_postgresql(postgres: Ledger, clock: FakeClock, ask: Ask, index: str) -> None:
    await _fill(postgres, clock)
    with listening(postgres.database) as sent:
        await ask(postgres)
    connection = await asyncpg.connect(plain_dsn(postgres.url))
    for statement in sent:
        assert most_read(await explain(connection, statement)) <= 1, (index, statement)
    await connection.close()
