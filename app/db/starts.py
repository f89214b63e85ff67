"""Starting pending runs: committed before the first byte leaves."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Integer, Text, bindparam, func, select, update

from app.db.calls import CALL_COLUMNS, started
from app.db.engine import Database
from app.db.rows import columns_of, encode, rows
from app.db.tables import cron_jobs, job_runs
from app.db.types import AnyRow
from app.domain.claim import Queued, Started
from app.domain.run import State, Trigger


class StartTransaction:
    """See `scheduler.ports.StartStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        run, job = job_runs.c, cron_jobs.c
        asked = rows(database.dialect, columns_of(run.id, run.ledger_at, host=Text()))
        # Locked by others means started, canceled or taken over by others: there is nothing to wait for. The state is
        # judged afterwards: in the statement, it led through the index of all that is pending, which may be a lot.
        self._lock = (
            select(run.id, run.ledger_at, run.scheduled_for, run.trigger, run.attempt, run.fence, run.state)
            .add_columns(*CALL_COLUMNS, database.now.label("now"))
            .join_from(job_runs, asked, (asked.c.id == run.id) & (asked.c.ledger_at == run.ledger_at))
            .join(cron_jobs, (job.uid == run.job_id) & (job.host == asked.c.host))
            .where(run.due_at <= database.now)
            .where(run.ledger_at.between(bindparam("oldest"), bindparam("newest")))
            .order_by(run.id)
            .with_for_update(of=job_runs, skip_locked=True)
        )
        locked = rows(database.dialect, columns_of(run.id, run.ledger_at, job_version=Integer()))
        self._start = (
            update(job_runs)
            .where(run.id == locked.c.id, run.ledger_at == locked.c.ledger_at)
            .where(run.ledger_at.between(bindparam("oldest"), bindparam("newest")))
            .values(
                state=State.RUNNING,
                owner=bindparam("replica"),
                fence=run.fence + 1,
                attempt=run.attempt + 1,
                started_at=func.coalesce(run.started_at, database.now),
                job_version=locked.c.job_version,
                error=None,
                status_code=None,
                response_excerpt=None,
            )
        )

    async def start(self, replica: UUID, queued: Sequence[Queued]) -> list[Started]:
        ledger_at = [run.ledger_at for run in queued]
        window = {"oldest": min(ledger_at), "newest": max(ledger_at)}
        asked = ({"id": run.run_id, "ledger_at": run.ledger_at, "host": run.host} for run in queued)
        async with self._database.begin() as connection:
            found = await connection.execute(self._lock, {"rows": self._encode(asked)} | window)
            locked = [row for row in found if row.state == State.PENDING]
            if locked:
                values = ({"id": r.id, "ledger_at": r.ledger_at, "job_version": r.version} for r in locked)
                await connection.execute(self._start, {"rows": self._encode(values), "replica": replica} | window)
        return [_started(row) for row in locked]

    async def pending(self, limit: int, full_hosts: Collection[str], overdue: timedelta) -> list[Queued]:
        run, job = job_runs.c, cron_jobs.c
        query = (
            select(run.id, run.ledger_at, job.host)
            .join_from(job_runs, cron_jobs, job.uid == run.job_id)
            .where(run.state == State.PENDING, run.due_at <= self._database.ago(overdue))
            .where(job.host.not_in(full_hosts))
            .order_by(run.due_at)
            .limit(limit)
        )
        async with self._database.read() as connection:
            return [Queued(row.id, row.ledger_at, row.host) for row in await connection.execute(query)]

    def _encode(self, values: Any) -> str:
        return encode(self._database.dialect, values)


def _started(row: AnyRow) -> Started:
    return started(
        row,
        run_id=row.id,
        ledger_at=row.ledger_at,
        scheduled_for=row.scheduled_for,
        trigger=Trigger(row.trigger),
        attempt=row.attempt + 1,
        fence=row.fence + 1,
        started_at=row.now,
    )
