"""What the tests of limits ask and share."""

from __future__ import annotations

from app.db.limits import LimitRepository
from app.db.tables import job_runs
from app.domain.claim import Queued
from app.domain.limit import KeyLimit
from app.domain.run import State
from tests.db.building import Ledger

KEY = "warehouse"


async def get_limit(ledger: Ledger, key: str = KEY) -> KeyLimit | None:
    async with ledger.database.read() as connection:
        return await LimitRepository(connection).get(key)


async def open_runs(ledger: Ledger, limit: int = 1000) -> list[Queued]:
    return (await ledger.starts.opened(limit, [])).runs


async def waiting(ledger: Ledger) -> list[str | None]:
    return [run.waiting_for for run in await ledger.table(job_runs) if run.state == State.PENDING]
