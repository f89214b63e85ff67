"""Deadlines: runs that were to have ended by now, and wait to be called, end as failed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from sqlalchemy import select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.engine import Database
from app.db.failures import count_failures
from app.db.locking import held_elsewhere, locking
from app.db.notices import NOTICE_COLUMNS, tell
from app.db.rows import columns_of, encode, rows
from app.db.tables import TO_EXPIRE, cron_jobs, job_runs
from app.db.types import AnyRow
from app.domain.claim import Recorded
from app.domain.lifecycle import require
from app.domain.notice import Event, News
from app.domain.run import COUNTED, State, Trigger
from app.domain.verdict import DEADLINE

BATCH = 1000


async def expire(database: Database) -> Recorded:
    """End a batch of them. Jobs are locked first, as everywhere, since their failures are counted."""
    run = job_runs.c
    late = select(run.job_id).where(text(TO_EXPIRE), run.deadline_at <= database.now).distinct().limit(BATCH)
    async with database.read() as connection:
        asked = set(await connection.scalars(late))
    if not asked:
        return Recorded()
    async with database.begin() as connection:
        jobs = await _lock_jobs(database, connection, asked)
        held = await held_elsewhere(connection, asked, jobs)
        found = await _locked(database, connection, asked - held)
        more = bool(held) or len(found) == BATCH
        if not found:
            return Recorded(more=more)
        await _end(database, connection, found)
        await count_failures(connection, found, failing=True)
        await _tell(connection, jobs, found)
    counted = any(row.trigger in COUNTED for row in found)
    return Recorded(failing=counted, became=[(State.FAILED, Trigger(row.trigger)) for row in found], more=more)


async def _lock_jobs(database: Database, connection: AsyncConnection, jobs: Collection[UUID]) -> dict[UUID, AnyRow]:
    job = cron_jobs.c
    query = select(job.failing, *NOTICE_COLUMNS, database.now.label("now")).where(job.uid.in_(jobs))
    free = locking(database.dialect, query, key_share=True, skip_locked=True)
    return {row.uid: row for row in await connection.execute(free)}


async def _locked(database: Database, connection: AsyncConnection, jobs: Collection[UUID]) -> Sequence[AnyRow]:
    """Only of the jobs that are locked, or gone. What others hold just now is left for the next look."""
    run = job_runs.c
    query = (
        select(run.id, run.ledger_at, run.job_id, run.trigger, run.state, run.scheduled_for, run.error, run.attempt)
        .where(text(TO_EXPIRE), run.deadline_at <= database.now, run.job_id.in_(jobs))
        .order_by(run.id)
        .limit(BATCH)
        .with_for_update(of=job_runs, skip_locked=True)
    )
    return list(await connection.execute(query))


async def _tell(connection: AsyncConnection, jobs: Mapping[UUID, AnyRow], found: Sequence[AnyRow]) -> None:
    """Of each job that was not failing before, its first."""
    first = {run.job_id: run for run in reversed(found) if run.trigger in COUNTED}
    new = ((jobs[uid], run) for uid, run in first.items() if uid in jobs and not jobs[uid].failing)
    await tell(connection, ((job, _news(run)) for job, run in new))


def _news(run: AnyRow) -> News:
    facts = {name: getattr(run, name) for name in ("scheduled_for", "error", "attempt")}
    return News(event=Event.FAILURE, run_id=run.id, state=State.FAILED, reason=DEADLINE, **facts)


async def _end(database: Database, connection: AsyncConnection, found: Sequence[AnyRow]) -> None:
    for row in found:
        require(row.state, State.FAILED)
    run, dialect = job_runs.c, database.dialect
    sent = rows(dialect, columns_of(run.id, run.ledger_at))
    write = update(job_runs).where(run.id == sent.c.id, run.ledger_at == sent.c.ledger_at)
    write = write.values(state=State.FAILED, reason=DEADLINE, finished_at=database.now, waiting_for=None)
    values = ({"id": row.id, "ledger_at": row.ledger_at} for row in found)
    await connection.execute(write, {"rows": encode(dialect, values)})
