"""What gates count, read once the jobs and the limits are locked.

A statement of its own: one that waits for a lock and counts sees what was there before it waited, and lets two through.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from sqlalchemy import Select, Uuid, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.backfill_gates import caught_up_first, jobs_of, limits_of
from app.db.rows import encode, rows
from app.db.tables import ACTIVE, HELD_UP, job_runs
from app.db.types import AnyRow
from app.domain.claim import Held
from app.domain.gates import Asking, Gates, Limit, Other, backfill_gate
from app.domain.policies import Overlap, Policies
from app.domain.run import State, Trigger


async def read_gates(
    connection: AsyncConnection,
    batch: Collection[Asking],
    limits: Mapping[str, Limit] | None = None,
    done: Collection[Held] = (),
) -> Gates:
    """Of the batch's jobs. The first statement is nearly every claim's, so there is one for the whole batch."""
    gates = Gates(limits=dict(limits or {}))
    gates.expect(batch)
    asking = [run for run in batch if run.minds_its_job]
    for row in await active_runs(connection, {run.job_id for run in asking}):
        if row.state != State.RUNNING or (row.id, row.fence) not in done:  # one that was taken over is called again
            called, between = row.state == State.RUNNING, row.state == State.PENDING
            other = Other(row.id, Trigger(row.trigger), called=called, between=between, backfill_id=row.backfill_id)
            gates.active[row.job_id].append(other)
    queues = {run.job_id for run in asking if _knows_who_waits(run.policies)}
    for row in await _held_up(connection, queues):
        gates.waiting[row.job_id].append(Other(row.id, Trigger.SCHEDULE, waiting_for=row.waiting_for))
    await _add_backfills(connection, gates, [run for run in asking if run.backfill_id])
    return gates


def _knows_who_waits(policies: Policies) -> bool:
    """Where runs are skipped, only a limit makes any wait."""
    if policies.overlap is Overlap.SKIP:
        return policies.concurrency_key is not None
    return policies.overlap is not Overlap.ALLOW


async def _add_backfills(connection: AsyncConnection, gates: Gates, asking: Collection[Asking]) -> None:
    """Asked of the database only where such runs want to start."""
    gates.caught_up |= await caught_up_first(connection, {run.job_id for run in asking})
    found = await jobs_of(connection, {run.backfill_id for run in asking if run.backfill_id and not run.attempt})
    active = (other.backfill_id for row in found.values() for other in gates.active[row.job_id])
    gates.limits |= {backfill_gate(each): limit for each, limit in limits_of(found, active).items()}


async def active_runs(connection: AsyncConnection, jobs: Collection[UUID]) -> Sequence[AnyRow]:
    """(job_id, id, fence, trigger, state, waiting_for, backfill_id), oldest first. Notices keep nobody waiting."""
    run = job_runs.c
    query = select(run.job_id, run.id, run.fence, run.trigger, run.state, run.waiting_for, run.backfill_id)
    found = await _of(connection, query.where(text(f"({ACTIVE})")), jobs)
    return [row for row in found if row.trigger != Trigger.NOTIFY]


async def _held_up(connection: AsyncConnection, jobs: Collection[UUID]) -> Sequence[AnyRow]:
    """Scheduled runs that were never called: (job_id, id, waiting_for), oldest first."""
    run = job_runs.c
    query = select(run.job_id, run.id, run.waiting_for).where(text(HELD_UP))
    return await _of(connection, query.where(run.trigger == Trigger.SCHEDULE, run.attempt == 0), jobs)


async def _of(
    connection: AsyncConnection, query: Select[*tuple[object, ...]], jobs: Collection[UUID]
) -> Sequence[AnyRow]:
    if not jobs:
        return []
    dialect = connection.dialect.name
    asked = rows(dialect, {"asked": Uuid()})
    sent = encode(dialect, ({"asked": job} for job in jobs))
    found = await connection.execute(query.join(asked, asked.c.asked == job_runs.c.job_id), {"rows": sent})
    return sorted(found, key=lambda row: row.id)
