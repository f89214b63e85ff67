"""What the database needs each hour, whichever replica comes first."""

from __future__ import annotations

from app.db.engine import Database
from app.db.partitions import PartitionKeeper
from app.service.idempotency import IdempotencyService


class Housekeeping:
    """See `scheduler.ports.Keeper`."""

    def __init__(self, database: Database) -> None:
        self._partitions = PartitionKeeper(database)
        self._idempotency = IdempotencyService(database)

    async def tend(self) -> None:
        await self._partitions.tend()
        await self._idempotency.forget()
