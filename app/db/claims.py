"""The claim: one transaction that decides whether an occurrence may run, and makes its row.

Lock first, then write: an INSERT ... SELECT without the lock runs a job whose delete commits meanwhile. `next_run`
advances for every job that was locked, also where the run exists already, or it would stand still for ever.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Integer, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.calls import CALL_COLUMNS, started
from app.db.engine import Database
from app.db.insert_runs import insert_runs, planned_values
from app.db.partitions import ensure_partitions, is_missing_partition
from app.db.rows import encode, rows
from app.db.spans import insert_spans
from app.db.tables import cron_jobs
from app.db.types import AnyRow, UtcDateTime
from app.domain.claim import Candidate, Claims, Queued, Slots
from app.domain.identity import occurrence_id
from app.domain.misfire import PlannedRun
from app.domain.run import State


class ClaimTransaction:
    """See `scheduler.ports.ClaimStore.claim`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        asked = rows(database.dialect, {"id": Integer()})
        self._lock = (
            select(cron_jobs.c.id, cron_jobs.c.enabled, cron_jobs.c.next_run, *CALL_COLUMNS, database.now.label("now"))
            .join(asked, asked.c.id == cron_jobs.c.id)
            .order_by(cron_jobs.c.id)
            .with_for_update(key_share=True, of=cron_jobs)
        )
        due = rows(database.dialect, {"id": Integer(), "next_run": UtcDateTime()})
        self._advance = update(cron_jobs).where(cron_jobs.c.id == due.c.id).values(next_run=due.c.next_run)

    async def claim(self, replica: UUID, candidates: Sequence[Candidate], slots: Slots) -> Claims:
        try:
            return await self._attempt(replica, candidates, slots)
        except IntegrityError as error:
            if not is_missing_partition(error):
                raise
        instants = {run.occurrence for candidate in candidates for run in candidate.plan.runs}
        await ensure_partitions(self._database, instants)
        return await self._attempt(replica, candidates, slots)

    async def _attempt(self, replica: UUID, candidates: Sequence[Candidate], slots: Slots) -> Claims:
        claims = Claims()
        try:
            async with self._database.begin() as connection:
                locked = await self._locked(connection, candidates)
                for candidate in candidates:
                    _judge(claims, candidate, locked.get(candidate.job.id))
                if claims.won:
                    await self._write(connection, replica, claims, locked, slots)
        except BaseException:
            for run in claims.started:
                slots.release(run.host)
            raise
        return claims

    async def _locked(self, connection: AsyncConnection, candidates: Sequence[Candidate]) -> dict[int, AnyRow]:
        asked = encode(self._database.dialect, ({"id": candidate.job.id} for candidate in candidates))
        return {row.id: row for row in await connection.execute(self._lock, {"rows": asked})}

    async def _write(
        self, connection: AsyncConnection, replica: UUID, claims: Claims, locked: Mapping[int, AnyRow], slots: Slots
    ) -> None:
        values = []
        for candidate in claims.won:
            row = locked[candidate.job.id]
            for run in candidate.plan.runs:
                values.append(planned_values(row.uid, row.name, row.version, run))
                if run.state is State.PENDING:
                    values[-1] |= _start_or_queue(claims, row, run, slots)
        values = [each | {"owner": replica} if each["state"] is State.RUNNING else each for each in values]
        inserted = await insert_runs(connection, values)
        _drop_conflicts(claims, inserted, slots)
        await insert_spans(
            connection, ((locked[c.job.id].uid, c.job.version, c.plan.span) for c in claims.won if c.plan.span)
        )
        advanced = ({"id": c.job.id, "next_run": c.plan.next} for c in claims.won)
        await connection.execute(self._advance, {"rows": encode(self._database.dialect, advanced)})


def _judge(claims: Claims, candidate: Candidate, row: AnyRow | None) -> None:
    """Sort the candidate by what its row, now locked, says."""
    if row is None or not row.enabled or row.version != candidate.job.version or row.next_run is None:
        claims.stale.append(candidate)
    elif row.next_run != candidate.plan.first:
        claims.moved.append((candidate, row.next_run))
    elif candidate.plan.latest > row.now:
        claims.early.append(candidate)
    else:
        claims.won.append(candidate)


def _start_or_queue(claims: Claims, row: AnyRow, run: PlannedRun, slots: Slots) -> dict[str, Any]:
    """A run for which there is room starts in the claim's own transaction; the rest wait as pending."""
    run_id = occurrence_id(row.uid, run.occurrence)
    if not slots.admit(row.host):
        claims.queued.append(Queued(run_id, run.occurrence, row.host))
        return {}
    claims.started.append(
        started(
            row,
            run_id=run_id,
            ledger_at=run.occurrence,
            scheduled_for=run.occurrence,
            trigger=run.trigger,
            attempt=1,
            fence=1,
            started_at=row.now,
        )
    )
    return {"state": State.RUNNING, "attempt": 1, "fence": 1, "started_at": row.now}


def _drop_conflicts(claims: Claims, inserted: set[UUID], slots: Slots) -> None:
    """A run that was in the ledger already is somebody's, not ours."""
    for run in claims.started:
        if run.call.run_id not in inserted:
            slots.release(run.host)
    claims.started = [run for run in claims.started if run.call.run_id in inserted]
    claims.queued = [run for run in claims.queued if run.run_id in inserted]
