"""Cancels that were asked for of runs that are being called."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select, text

from app.db.engine import Database
from app.db.tables import CANCELING, job_runs
from app.domain.claim import Held


class CancellationSource:
    """See `scheduler.ports.CancelSource`."""

    def __init__(self, database: Database) -> None:
        run = job_runs.c
        self._database = database
        self._query = select(run.id, run.fence).where(text(f"({CANCELING})"))

    async def asked(self, replica: UUID) -> set[Held]:
        async with self._database.read() as connection:
            found = await connection.execute(self._query.where(job_runs.c.owner == replica))
            return {(row.id, row.fence) for row in found}
