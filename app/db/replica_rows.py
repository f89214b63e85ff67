"""The rows of `replicas`, read by people."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from uuid import UUID

from sqlalchemy import and_, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.trace_tables import replicas
from app.db.types import AnyRow
from app.domain.replica import Replica, Role, Vitals


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaFilter:
    """None is both."""

    dead: bool | None = None


class ReplicaRows:
    """Within the caller's transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def page(self, filters: ReplicaFilter, before: tuple[datetime, UUID] | None, limit: int) -> list[Replica]:
        """Newest first; `before` is where the page before ended."""
        replica = replicas.c
        query = select(replicas).order_by(replica.started_at.desc(), replica.id.desc()).limit(limit)
        if before is not None:
            at, last = before
            query = query.where(or_(replica.started_at < at, and_(replica.started_at == at, replica.id < last)))
        if filters.dead is not None:
            query = query.where(replica.dead == filters.dead)
        return [_as_replica(row) for row in await self._connection.execute(query)]


def _as_replica(row: AnyRow) -> Replica:
    return Replica(
        id=row.id,
        hostname=row.hostname,
        version=row.version,
        role=Role(row.role),
        started_at=row.started_at,
        heartbeat=row.heartbeat,
        dead=row.dead,
        vitals=Vitals(**{each.name: getattr(row, each.name) for each in fields(Vitals)}),
    )
