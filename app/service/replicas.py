"""Use cases of the replicas: who is there, and who was."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from app.db.engine import Database
from app.db.replica_rows import ReplicaFilter
from app.db.transaction import reading
from app.domain.replica import Replica


class ReplicaService:
    """Raises StoreUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, filters: ReplicaFilter, before: tuple[datetime, UUID] | None, limit: int) -> list[Replica]:
        """Newest first; `before` is where the page before ended."""
        async with reading(self._database) as tx:
            return await tx.replicas.page(filters, before, limit)
