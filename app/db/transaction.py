"""One transaction, with the repositories that work in it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.changes import notify_change
from app.db.engine import Database
from app.db.jobs import JobRepository
from app.db.runs import RunRepository
from app.db.spans import SpanRepository
from app.db.switch import SwitchRepository
from app.db.versions import VersionRepository


class Transaction:
    """What a use case works with. Committed when the `async with` that opened it ends well."""

    def __init__(self, database: Database, connection: AsyncConnection) -> None:
        self._database = database
        self._connection = connection
        self.jobs = JobRepository(connection)
        self.runs = RunRepository(connection)
        self.spans = SpanRepository(connection)
        self.versions = VersionRepository(connection)
        self.switch = SwitchRepository(connection)

    async def time(self) -> datetime:
        """The database's clock at this moment of the transaction."""
        now: datetime = (await self._connection.execute(select(self._database.now))).scalar_one()
        return now

    async def notify(self, job_id: int | None) -> None:
        """Tell every replica of the job when this commits; None is many jobs."""
        await notify_change(self._connection, job_id)


@asynccontextmanager
async def transaction(database: Database) -> AsyncIterator[Transaction]:
    """Raises StoreUnavailable where the database can't be reached."""
    async with database.begin() as connection:
        yield Transaction(database, connection)


@asynccontextmanager
async def reading(database: Database) -> AsyncIterator[Transaction]:
    """The same for what only reads."""
    async with database.read() as connection:
        yield Transaction(database, connection)
