"""What goes when events are older than they are kept: whole days on PostgreSQL, elsewhere bounded batches."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy import delete, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.engine import Database
from app.db.trace_tables import events
from app.db.types import AnyRow
from app.domain.errors import StoreUnavailable
from app.domain.retention import EVENTS_KEPT

BATCH = 1000

_log = structlog.get_logger()

_TRY_ALONE = text("SELECT pg_try_advisory_lock(hashtext('cronledger events'))")
_NOT_ALONE = text("SELECT pg_advisory_unlock(hashtext('cronledger events'))")
_DAYS = text(
    "SELECT c.relname AS name, i.inhrelid IS NOT NULL AS attached, coalesce(i.inhdetachpending, false) AS half_detached"
    " FROM pg_class AS c LEFT JOIN pg_inherits AS i ON i.inhrelid = c.oid"
    " WHERE c.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = CAST('events' AS regclass))"
    " AND c.relkind = 'r' AND c.relname ~ '^events_[0-9]{8}$' ORDER BY half_detached DESC, name"
)


class EventKeeper:
    """Several replicas may at once: on PostgreSQL one of them does it, the others leave it to that one."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def tend(self) -> None:
        """Raises StoreUnavailable. Where a reader holds up a day, a backup say, that day goes the next time."""
        async with self._database.read() as connection:
            now: datetime = (await connection.execute(select(self._database.now))).scalar_one()
        if self._database.dialect != "postgresql":
            while await self._delete_batch(now - EVENTS_KEPT):
                pass
            return
        try:
            await self._drop_days(now - EVENTS_KEPT)
        except StoreUnavailable as error:
            _log.warning("old events are held up", cause=repr(error.__cause__))

    async def _drop_days(self, before: datetime) -> None:
        async with self._database.apart() as connection:
            if not await connection.scalar(_TRY_ALONE):
                return
            for day in _over(await connection.execute(_DAYS), before):
                await _drop(connection, day)
            await connection.execute(_NOT_ALONE)  # after an error the connection's end does it

    async def _delete_batch(self, before: datetime) -> bool:
        """Whether there may be more. By id, the order in which they grow old, which has an index."""
        async with self._database.begin() as connection:
            query = select(events.c.id, events.c.at).order_by(events.c.id).limit(BATCH)
            old = [row.id for row in await connection.execute(query) if row.at < before]
            if old:
                await connection.execute(delete(events).where(events.c.id.between(old[0], old[-1])))
        return len(old) == BATCH


def _over(days: Iterable[AnyRow], before: datetime) -> list[AnyRow]:
    """Those that had ended by then."""
    last = f"events_{before.astimezone(UTC).date() - timedelta(days=1):%Y%m%d}"
    return [day for day in days if day.name <= last]


async def _drop(connection: AsyncConnection, day: AnyRow) -> None:
    """DROP alone would wait for every reader of the events, and let none begin meanwhile.

    A detachment that was interrupted must be brought to its end before another may begin.
    """
    if day.attached:
        how = "FINALIZE" if day.half_detached else "CONCURRENTLY"
        await connection.execute(text(f"ALTER TABLE events DETACH PARTITION {day.name} {how}"))
    await connection.execute(text(f"DROP TABLE {day.name}"))
