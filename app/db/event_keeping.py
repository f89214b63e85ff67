"""What goes when events are older than they are kept: whole days on PostgreSQL, elsewhere bounded batches."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from datetime import datetime

from sqlalchemy import delete, select

from app.db.aged_partitions import drop_aged
from app.db.engine import Database
from app.db.mariadb_events import order_events
from app.db.partitions import EVENTS
from app.db.trace_tables import events
from app.domain.retention import EVENTS_KEPT

BATCH = 1000

BUDGET = 5.0
"""Seconds: a longer step would hold up the end of the process, and count as a loop that stands still."""


class EventKeeper:
    """Several replicas may at once."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def tend(self, budget: float = BUDGET) -> bool:
        """Whether there is more to do after so many seconds. Raises StoreUnavailable.

        Where a reader holds up a day, a backup say, that day goes the next time.
        """
        end = time.monotonic() + budget
        async with self._database.read() as connection:
            before: datetime = (await connection.execute(select(self._database.ago(EVENTS_KEPT)))).scalar_one()
        if self._database.dialect == "postgresql":
            return await drop_aged(self._database, before, EVENTS, enough=lambda: time.monotonic() >= end)
        return await self._all(self._order_batch, end) or await self._all(lambda: self._delete_batch(before), end)

    async def _all(self, batch: Callable[[], Awaitable[bool]], end: float) -> bool:
        """Whether there is more to do at the end."""
        while await batch():
            if time.monotonic() >= end:
                return True
        return False

    async def _order_batch(self) -> bool:
        """On MariaDB, where nobody may have read for a long time; whether there may be more."""
        if self._database.dialect != "mariadb":
            return False
        async with self._database.begin() as connection:
            return await order_events(connection)

    async def _delete_batch(self, before: datetime) -> bool:
        """Whether there may be more. By id, the order in which they grow old, which has an index."""
        async with self._database.begin() as connection:
            query = select(events.c.id, events.c.at).order_by(events.c.id).limit(BATCH)
            old = [row.id for row in await connection.execute(query) if row.at < before]
            if old:
                await connection.execute(delete(events).where(events.c.id.between(old[0], old[-1])))
        return len(old) == BATCH
