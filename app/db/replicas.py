"""Who is alive, by the database's clock, and what becomes of the runs of those who are not."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import delete, exists, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.engine import Database
from app.db.rows import columns_of, encode, rows
from app.db.tables import cron_jobs, job_runs, replicas
from app.db.types import AnyRow
from app.domain.run import State

MAX_TAKEOVERS = 3
"""After so many replicas died on a run, it is taken for what kills them."""

DIED = "replica died"

FORGET_DEAD_AFTER = timedelta(days=1)


class ReplicaRepository:
    """See `scheduler.ports.Membership`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def join(self, replica: UUID, hostname: str) -> None:
        now = self._database.now
        values = {"id": replica, "hostname": hostname[:255], "started_at": now, "heartbeat": now}
        async with self._database.begin() as connection:
            await connection.execute(insert(replicas).values(values))
            forgotten = replicas.c.heartbeat < self._database.ago(FORGET_DEAD_AFTER)
            await connection.execute(delete(replicas).where(replicas.c.dead, forgotten))

    async def beat(self, replica: UUID) -> bool:
        renewed = (
            update(replicas)
            .where(replicas.c.id == replica, ~replicas.c.dead)
            .values(heartbeat=self._database.now)
            .returning(replicas.c.id)
        )
        async with self._database.begin() as connection:
            return await connection.scalar(renewed) is not None

    async def bury(self, lease: timedelta) -> int:
        expired = ~replicas.c.dead & (replicas.c.heartbeat < self._database.ago(lease))
        async with self._database.begin() as connection:
            await connection.execute(update(replicas).where(expired).values(dead=True))
        async with self._database.begin() as connection:
            return await self._take_over(connection)

    async def leave(self, replica: UUID) -> None:
        async with self._database.begin() as connection:
            await connection.execute(update(replicas).where(replicas.c.id == replica).values(dead=True))

    async def owned(self, replica: UUID) -> dict[UUID, int]:
        run = job_runs.c
        query = select(run.id, run.fence).where(run.state == State.RUNNING, run.owner == replica)
        async with self._database.read() as connection:
            return {row.id: row.fence for row in await connection.execute(query)}

    async def hand_back(self, replica: UUID, runs: dict[UUID, int]) -> int:
        """The attempt is taken back too: it never left."""
        run = job_runs.c
        never_called = (
            select(run.id, run.ledger_at, run.fence)
            .where(run.state == State.RUNNING, run.owner == replica)
            .order_by(run.id)
            .with_for_update(of=job_runs)
        )
        async with self._database.begin() as connection:
            found = [row for row in await connection.execute(never_called) if runs.get(row.id) == row.fence]
            await self._make_pending(connection, found, attempt=run.attempt - 1, takeovers=run.takeovers)
        return len(found)

    async def _take_over(self, connection: AsyncConnection) -> int:
        """Only a dead replica's runs are taken; the jobs are locked before their runs, as everywhere."""
        run = job_runs.c
        alive = exists().where(replicas.c.id == run.owner, ~replicas.c.dead)
        orphaned = (run.state == State.RUNNING) & ~alive
        jobs = select(cron_jobs.c.uid).where(
            cron_jobs.c.uid.in_(select(run.job_id).where(orphaned)),
        )
        kept = set(await connection.scalars(jobs.order_by(cron_jobs.c.id).with_for_update(read=True, key_share=True)))
        query = select(run.id, run.ledger_at, run.job_id, run.takeovers).where(orphaned).order_by(run.id)
        taken = (await connection.execute(query.with_for_update(of=job_runs))).all()
        again = [row for row in taken if row.job_id in kept and row.takeovers < MAX_TAKEOVERS]
        await self._make_pending(connection, again, attempt=run.attempt, takeovers=run.takeovers + 1)
        await self._lose(connection, [row for row in taken if row not in again])
        return len(taken)

    async def _make_pending(self, connection: AsyncConnection, runs: Sequence[AnyRow], **values: Any) -> None:
        await self._update(connection, runs, state=State.PENDING, owner=None, due_at=self._database.now, **values)

    async def _lose(self, connection: AsyncConnection, runs: Sequence[AnyRow]) -> None:
        await self._update(
            connection,
            runs,
            state=State.LOST,
            reason=DIED,
            takeovers=job_runs.c.takeovers + 1,
            finished_at=self._database.now,
        )

    async def _update(self, connection: AsyncConnection, runs: Sequence[AnyRow], **values: Any) -> None:
        if not runs:
            return
        run, dialect = job_runs.c, self._database.dialect
        sent = rows(dialect, columns_of(run.id, run.ledger_at))
        statement = update(job_runs).where(run.id == sent.c.id, run.ledger_at == sent.c.ledger_at).values(values)
        chosen = ({"id": row.id, "ledger_at": row.ledger_at} for row in runs)
        await connection.execute(statement, {"rows": encode(dialect, chosen)})
