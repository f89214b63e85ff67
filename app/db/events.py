"""The events as they are read."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.engine import Database
from app.db.horizon import Horizon, newest_id
from app.db.tenancy import Tenancy
from app.db.trace_tables import events
from app.db.types import AnyRow
from app.domain.event import Event, EventFilter, EventKind, Reset
from app.domain.retention import EVENTS_KEPT
from app.domain.run import Trigger

PAGE = 500
SPAN = 10_000
"""Ids that one page looks through at most where a filter lets little through, so that no query takes long."""


class EventLog:
    """Each call is a transaction of its own. Raises StoreUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def move(self, horizon: Horizon) -> None:
        transaction = self._database.begin if self._database.dialect == "mariadb" else self._database.read
        async with transaction() as connection:
            await horizon.move(connection)

    async def beginning(self, after: int) -> tuple[int, Reset | None]:
        """Where a stream goes on that has read up to `after`, and why not there, if what came next is not kept."""
        async with self._database.read() as connection:
            since: datetime = (await connection.execute(select(self._database.ago(EVENTS_KEPT)))).scalar_one()
            newest = await newest_id(connection)
            oldest = await connection.scalar(select(func.min(events.c.id))) or newest + 1
            following = await _first(connection, after)
            if after > newest:
                reset = Reset.UNKNOWN
            elif after < oldest - 1 or (following is not None and following.at < since):
                reset = Reset.AGED
            else:
                return after, None
            return await _oldest_since(connection, since, oldest, newest + 1) - 1, reset

    async def page(self, after: int, horizon: int, filters: EventFilter) -> tuple[list[Event], int]:
        """The events that come next, in order, and the id up to which there is no other."""
        until = min(horizon, after + (PAGE if filters == EventFilter() else SPAN))
        query = select(*events.c).where(events.c.id > after, events.c.id <= until).order_by(events.c.id).limit(PAGE)
        query = query.where(Tenancy(filters.namespace).holds_job(events.c.job_id))
        if filters.job is not None:
            query = query.where(events.c.job_name == filters.job)
        if filters.kinds:
            query = query.where(events.c.kind.in_(sorted(filters.kinds)))
        async with self._database.read() as connection:
            found = [_event(row) for row in await connection.execute(query)]
        return found, found[-1].id if len(found) == PAGE else until


async def _oldest_since(connection: AsyncConnection, since: datetime, low: int, high: int) -> int:
    """Found by halving, since only the ids have an index; `high` where there is none before it."""
    while low < high:
        middle = (low + high) // 2
        found = await _first(connection, middle - 1)
        if found is None or found.at >= since:
            high = middle
        else:
            low = found.id + 1
    return low


async def _first(connection: AsyncConnection, after: int) -> AnyRow | None:
    query = select(events.c.id, events.c.at).where(events.c.id > after).order_by(events.c.id).limit(1)
    return (await connection.execute(query)).first()


def _event(row: AnyRow) -> Event:
    values = row._asdict()
    trigger = None if row.trigger is None else Trigger(row.trigger)
    return Event(**values | {"kind": EventKind(row.kind), "trigger": trigger})
