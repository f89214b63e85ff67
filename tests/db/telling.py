"""What tests ask the events."""

from __future__ import annotations

from collections.abc import Sequence

from app.db.events import EventLog
from app.db.horizon import Horizon, newest_id
from app.db.trace_tables import events
from app.domain.event import EventFilter
from tests.db.building import Ledger


async def kinds_of(ledger: Ledger, job: str = "job", after: int = 0) -> list[str]:
    """All of one job, in order, whoever may read them by now."""
    return [row.kind for row in await ledger.table(events, job_name=job) if row.id > after]


async def newest(ledger: Ledger) -> int:
    await EventLog(ledger.database).move(Horizon())
    async with ledger.database.read() as connection:
        return await newest_id(connection)


class Reader:
    """Reads on from where it was, as far as it may, like a stream."""

    def __init__(self, ledger: Ledger, position: int = 0, filters: EventFilter | None = None) -> None:
        self._log = EventLog(ledger.database)
        self.horizon = Horizon()
        self.position = position
        self.filters = filters or EventFilter()

    async def read(self) -> Sequence[tuple[str, str]]:
        """Kind and job of each event that has come."""
        await self._log.move(self.horizon)
        found = []
        while self.horizon.value is not None and self.position < self.horizon.value:
            page, self.position = await self._log.page(self.position, self.horizon.value, self.filters)
            assert [event.id for event in page] == sorted({event.id for event in page})
            found += [(str(event.kind), event.job_name) for event in page]
        return found
