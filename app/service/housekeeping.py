"""What the database needs each hour, whichever replica comes first."""

from __future__ import annotations

from datetime import timedelta

from app.db.engine import Database
from app.db.event_keeping import EventKeeper
from app.db.partitions import PartitionKeeper
from app.db.transaction import transaction
from app.domain.retention import AUDIT_KEPT, KEPT
from app.service.idempotency import IdempotencyService
from app.service.retention import RetentionService


class Housekeeping:
    """See `scheduler.ports.Keeper`. Ended runs are `kept` for so long, and the audit log for `audited`."""

    def __init__(self, database: Database, kept: timedelta = KEPT, audited: timedelta = AUDIT_KEPT) -> None:
        self._database = database
        self._kept = kept
        self._audited = audited
        self._partitions = PartitionKeeper(database)
        self._events = EventKeeper(database)
        self._idempotency = IdempotencyService(database)
        self._retention = RetentionService(database, kept)

    async def tend(self) -> bool:
        await self._partitions.tend()
        await self._idempotency.forget()
        async with transaction(self._database) as tx:
            await tx.audits.forget(await tx.time() - self._kept)
        return await self._events.tend() or await self._retention.prune() or await self._forget_audited()

    async def _forget_audited(self) -> bool:
        async with transaction(self._database) as tx:
            return await tx.audit_log.forget(await tx.time() - self._audited)
