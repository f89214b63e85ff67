"""What a restored ledger has of the time before its backup: replicas that may be there still, and runs under way."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import case, literal, null, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.attempts import insert_lost
from app.db.tables import ACTIVE, FREE, HELD_UP, job_runs
from app.db.trace_tables import replicas
from app.db.types import UtcDateTime
from app.domain.restored import RESTORED
from app.domain.run import State


class RecoveryRepository:
    """Within the caller's transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def alive(self, since: datetime) -> list[tuple[UUID, str, datetime]]:
        """Replicas that gave a sign of life since then: id, hostname, and when that was."""
        replica = replicas.c
        query = select(replica.id, replica.hostname, replica.heartbeat)
        query = query.where(~replica.dead, replica.heartbeat >= since).order_by(replica.heartbeat.desc())
        return [(row.id, row.hostname, row.heartbeat) for row in await self._connection.execute(query)]

    async def end_unfinished(self, until: datetime, at: datetime, most: int) -> list[State]:
        """The first so many that stand at `until` or before: missed if never called, else lost."""
        run = job_runs.c
        for which in (FREE, HELD_UP, ACTIVE):  # each has an index
            query = select(run.id, run.ledger_at, run.state, run.attempt, run.fence, run.owner, run.started_at)
            query = query.add_columns(literal(at, UtcDateTime()).label("now"))
            query = query.where(text(f"({which})"), run.ledger_at <= until)
            found = (await self._connection.execute(query.order_by(run.id).limit(most).with_for_update())).all()
            if found:
                among = run.id.in_([row.id for row in found]) & (run.ledger_at <= until)
                state = case((run.started_at.is_(None), State.MISSED), else_=State.LOST)
                ended = {"state": state, "reason": RESTORED, "finished_at": at, "waiting_for": null()}
                await self._connection.execute(update(job_runs).where(among).values(ended))
                await insert_lost(self._connection, [row for row in found if row.state == State.RUNNING])
                return [State.MISSED if row.started_at is None else State.LOST for row in found]
        return []
