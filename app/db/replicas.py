"""Who is alive, by the database's clock, and what becomes of the runs of those who are not."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, delete, exists, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.engine import Database
from app.db.results import DELETED
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
        async with self._database.begin() as connection:
            held, jobs = await self._locked(connection, (run.state == State.RUNNING) & (run.owner == replica))
            found = [row for row in held if runs.get(row.id) == row.fence]
            again = [row for row in found if row.job_id in jobs]
            await self._make_pending(connection, again, attempt=run.attempt - 1)
            await self._end(connection, [row for row in found if row not in again], State.CANCELED, DELETED)
        return len(found)

    async def _take_over(self, connection: AsyncConnection) -> int:
        """Only a dead replica's runs are taken."""
        run = job_runs.c
        alive = exists().where(replicas.c.id == run.owner, ~replicas.c.dead)
        taken, jobs = await self._locked(connection, (run.state == State.RUNNING) & ~alive)
        again = [row for row in taken if row.job_id in jobs and row.takeovers < MAX_TAKEOVERS]
        lost = [row for row in taken if row not in again]
        await self._make_pending(connection, again, takeovers=run.takeovers + 1)
        await self._end(connection, lost, State.LOST, DIED, takeovers=run.takeovers + 1)
        return len(taken)

    async def _locked(self, connection: AsyncConnection, which: ColumnElement[bool]) -> tuple[list[AnyRow], set[UUID]]:
        """The runs, and those of their jobs that still exist, locked before the runs as everywhere.

        Runs that come to match meanwhile are left for the next look: nobody asked whether their jobs exist.
        """
        run, job = job_runs.c, cron_jobs.c
        asked = set(await connection.scalars(select(run.job_id).where(which)))
        if not asked:
            return [], set()
        jobs = select(job.uid).where(job.uid.in_(asked)).order_by(job.id).with_for_update(read=True, key_share=True)
        kept = set(await connection.scalars(jobs))
        runs = select(run.id, run.ledger_at, run.job_id, run.fence, run.takeovers).where(which).order_by(run.id)
        found = await connection.execute(runs.with_for_update(of=job_runs))
        return [row for row in found if row.job_id in asked], kept

    async def _make_pending(self, connection: AsyncConnection, runs: Sequence[AnyRow], **values: Any) -> None:
        await self._update(connection, runs, state=State.PENDING, owner=None, due_at=self._database.now, **values)

    async def _end(
        self, connection: AsyncConnection, runs: Sequence[AnyRow], state: State, reason: str, **values: Any
    ) -> None:
        await self._update(connection, runs, state=state, reason=reason, finished_at=self._database.now, **values)

    async def _update(self, connection: AsyncConnection, runs: Sequence[AnyRow], **values: Any) -> None:
        if not runs:
            return
        run, dialect = job_runs.c, self._database.dialect
        sent = rows(dialect, columns_of(run.id, run.ledger_at))
        statement = update(job_runs).where(run.id == sent.c.id, run.ledger_at == sent.c.ledger_at).values(values)
        chosen = ({"id": row.id, "ledger_at": row.ledger_at} for row in runs)
        await connection.execute(statement, {"rows": encode(dialect, chosen)})
