"""What the database needs each hour, whichever replica comes first."""

from __future__ import annotations

from app.db.engine import Database
from app.db.event_keeping import EventKeeper
from app.db.partitions import PartitionKeeper
from app.db.transaction import transaction
from app.domain.retention import KEPT
from app.service.idempotency import IdempotencyService


class Housekeeping:
    """See `scheduler.ports.Keeper`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._partitions = PartitionKeeper(database)
        self._events = EventKeeper(database)
        self._idempotency = IdempotencyService(database)

    async def tend(self) -> None:
        await self._partitions.tend()
        await self._idempotency.forget()
        async with transaction(self._database) as tx:
            await tx.audits.forget(await tx.time() - KEPT)
        await self._events.tend()
