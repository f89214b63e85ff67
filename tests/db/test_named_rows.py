"""What locks rows that are named waits for no other row, however small the table is."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest

from app.db.transaction import Transaction, transaction
from app.domain.job import PersistedJob
from tests.db.building import Ledger
from tests.db.leaving_out import calendar
from tests.db.limiting import put_limit
from tests.servers.mariadb import execute

PATIENCE = 3.0
"""Seconds, below those for which a statement waits for a row."""
TABLES = "job_spans, limits, calendars"

Step = Callable[[Transaction, Sequence[PersistedJob]], Awaitable[object]]


async def look(work: Transaction, jobs: Sequence[PersistedJob]) -> object:
    return await work.spans.opened([job.uid for job in jobs])


async def close(work: Transaction, jobs: Sequence[PersistedJob]) -> None:
    spans = await work.spans.opened([job.uid for job in jobs])
    await work.spans.close(dict.fromkeys((span.id for span in spans.values()), 1), await work.time())


async def limit(work: Transaction, jobs: Sequence[PersistedJob]) -> object:
    return await work.limits.lock([job.name for job in jobs], await work.time())


async def spend(work: Transaction, jobs: Sequence[PersistedJob]) -> None:
    now = await work.time()
    await work.limits.spend(await work.limits.lock([job.name for job in jobs], now), now)


async def change_calendars(work: Transaction, jobs: Sequence[PersistedJob]) -> None:
    for job in jobs:
        await work.calendars.lock(job.name)


async def name_calendars(work: Transaction, jobs: Sequence[PersistedJob]) -> object:
    return await work.calendars.hold([job.name for job in jobs])


STEPS = [(look, look), (look, close), (limit, limit), (limit, spend), (change_calendars, name_calendars)]


@pytest.mark.parametrize(("hold", "step"), STEPS)
async def test_a_row_that_nobody_named_may_be_locked(contended: Ledger, rival: Ledger, hold: Step, step: Step) -> None:
    jobs = [await prepared(contended, f"job-{number}") for number in range(6)]
    if contended.database.engine.dialect.name == "mariadb":
        await execute(contended.url, f"ANALYZE TABLE {TABLES}")
    for others, mine in ((jobs[:3], jobs[3:]), (jobs[3:], jobs[:3])):
        async with transaction(contended.database) as holding:
            await hold(holding, others)
            async with asyncio.timeout(PATIENCE), transaction(rival.database) as work:
                await step(work, mine)


async def prepared(ledger: Ledger, name: str) -> PersistedJob:
    """A job that has been paused before and is again, with a limit and a calendar of its name."""
    await put_limit(ledger, 1, 1.0, key=name)
    await ledger.calendars.create(calendar(name=name))
    job = await ledger.create(name)
    for enabled in (False, True, False):
        await ledger.jobs.set_enabled(name, enabled=enabled)
    return job
