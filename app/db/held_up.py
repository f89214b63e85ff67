"""Runs that were held up, and whose gates may have room now."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Integer, String, case, func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.backfill_gates import caught_up_first, jobs_of, limits_of
from app.db.gates import active_runs
from app.db.limits import LimitRepository
from app.db.rows import encode, rows
from app.db.tables import HELD_UP, cron_jobs, job_runs
from app.db.types import AnyRow
from app.domain.claim import Queued
from app.domain.gates import backfill_of, job_of, key_of
from app.domain.run import Trigger


async def closed_gates(connection: AsyncConnection) -> set[str]:
    """Those for which runs wait. Mostly none does, and the first is found, or not, whatever the planner believes."""
    waiting = select(job_runs.c.waiting_for).where(text(HELD_UP))
    if (await connection.execute(waiting.order_by(job_runs.c.waiting_for).limit(1))).first() is None:
        return set()
    return set(await connection.scalars(waiting.where(job_runs.c.waiting_for > "").distinct()))


async def with_room(connection: AsyncConnection, gates: Iterable[str], most: int, now: datetime) -> dict[str, int]:
    """The gates that are open, with how many runs each lets through: one where a job's runs follow one another."""
    gates = set(gates)
    jobs = {job: gate for gate in gates if (job := job_of(gate)) is not None}
    keys = {key: gate for gate in gates if (key := key_of(gate)) is not None}
    active = {row.job_id for row in await active_runs(connection, jobs) if _keeps_others_waiting(row)}
    limits = await LimitRepository(connection).read(keys, now)
    room = {gate: 1 for job, gate in jobs.items() if job not in active}
    for key, gate in keys.items():
        free = limits[key].room if key in limits else None
        room[gate] = most if free is None else min(free, most)
    for gate, free in (await _room_of_backfills(connection, gates)).items():
        room[gate] = min(free, most)
    return {gate: free for gate, free in room.items() if free}


def _keeps_others_waiting(row: AnyRow) -> bool:
    """What is scheduled does not meet what is backfilled. What is caught up does, and is judged when it is started."""
    return row.waiting_for is None and row.backfill_id is None


async def _room_of_backfills(connection: AsyncConnection, gates: Iterable[str]) -> dict[str, int]:
    """None while something of the same job is caught up, or waits for its turn to be."""
    asked = {backfill: gate for gate in gates if (backfill := backfill_of(gate)) is not None}
    found = await jobs_of(connection, asked)
    jobs = {row.job_id for row in found.values()}
    active = await active_runs(connection, jobs)
    closed = {row.job_id for row in active if row.trigger == Trigger.CATCH_UP}
    closed |= await caught_up_first(connection, jobs - closed)
    limits = limits_of(found, (row.backfill_id for row in active))
    return {asked[each]: limits[each].room or 0 for each, row in found.items() if row.job_id not in closed}


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What is not to start now: at full hosts nothing, at crowded ones nothing that is caught up or backfilled."""

    full_hosts: Collection[str]
    crowded_hosts: Collection[str]
    runs: Collection[UUID]


async def first_of(connection: AsyncConnection, room: dict[str, int], left_out: LeftOut, most: int) -> list[Queued]:
    """At each gate the first that wait there: those that have begun, then in turn; what is caught up comes last.

    After that only backfills do.
    What has begun comes before all others, whatever it is: those wait for it.
    """
    run, job, dialect = job_runs.c, cron_jobs.c, connection.dialect.name
    open_gates = rows(dialect, {"gate": String(), "room": Integer()})
    rank = case((run.trigger == Trigger.CATCH_UP, 1), (run.trigger == Trigger.BACKFILL, 2), else_=0)
    order = (run.attempt == 0, rank, run.due_at, run.scheduled_for, run.id)
    place = func.row_number().over(partition_by=run.waiting_for, order_by=order)
    waiting = (
        select(run.id, run.ledger_at, job.host, run.due_at, run.scheduled_for, rank.label("rank"))
        .add_columns(open_gates.c.room, place.label("place"))
        .join_from(job_runs, open_gates, open_gates.c.gate == run.waiting_for)
        .join(cron_jobs, job.uid == run.job_id)
        .where(text(HELD_UP), job.host.not_in(left_out.full_hosts), run.id.not_in(left_out.runs))
        .where((rank == 0) | job.host.not_in(left_out.crowded_hosts))
        .subquery()
    )
    query = select(waiting).where(waiting.c.place <= waiting.c.room)
    query = query.order_by(waiting.c.rank, waiting.c.due_at, waiting.c.scheduled_for).limit(most)
    sent = encode(dialect, ({"gate": gate, "room": free} for gate, free in room.items()))
    found = await connection.execute(query, {"rows": sent})
    return [Queued(row.id, row.ledger_at, row.host, yields=row.rank > 0) for row in found]
