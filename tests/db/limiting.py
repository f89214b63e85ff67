"""What the tests of limits ask and share."""

from __future__ import annotations

from typing import Any

from app.db.limits import LimitRepository
from app.db.tables import job_runs
from app.domain.claim import Queued
from app.domain.clock import FakeClock
from app.domain.limit import KeyLimit
from app.domain.policies import Policies
from app.domain.run import State
from tests.db.building import MINUTE, Ledger

KEY = "warehouse"


async def get_limit(ledger: Ledger, key: str = KEY) -> KeyLimit | None:
    async with ledger.database.read() as connection:
        return await LimitRepository(connection).get(key)


async def open_runs(ledger: Ledger, limit: int = 1000) -> list[Queued]:
    return (await ledger.starts.opened(limit, [])).runs


async def waiting(ledger: Ledger) -> list[str | None]:
    return [run.waiting_for for run in await ledger.table(job_runs) if run.state == State.PENDING]


async def put_limit(ledger: Ledger, most: int | None = None, rate: float | None = None, key: str = KEY) -> None:
    async with ledger.database.begin() as connection:
        await LimitRepository(connection).put(key, most, rate, await ledger.rows.time())


async def key_jobs(ledger: Ledger, clock: FakeClock, count: int, **policies: Any) -> list[Queued]:
    """So many runs that are pending, each of a job of its own."""
    chosen = Policies(concurrency_key=KEY, **policies)
    jobs = [await ledger.create(f"job-{number}", policies=chosen) for number in range(count)]
    clock.step(MINUTE)
    claims = await ledger.claim(clock.now(), *jobs)
    assert claims.started == []
    assert len(claims.queued) == count
    return claims.queued
