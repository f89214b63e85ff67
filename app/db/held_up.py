"""Runs that were held up, and whose gates may have room now."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime

from sqlalchemy import Integer, String, func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.gates import active_runs
from app.db.limits import LimitRepository
from app.db.rows import encode, rows
from app.db.tables import HELD_UP, cron_jobs, job_runs
from app.domain.claim import Queued
from app.domain.gates import job_of, key_of
from app.domain.run import Trigger


async def closed_gates(connection: AsyncConnection) -> set[str]:
    """Those for which runs wait."""
    query = select(job_runs.c.waiting_for).where(text(HELD_UP)).distinct()
    return set(await connection.scalars(query))


async def with_room(connection: AsyncConnection, gates: Iterable[str], most: int, now: datetime) -> dict[str, int]:
    """The gates that are open, with how many runs each lets through: one where a job's runs follow one another."""
    gates = set(gates)
    jobs = {job: gate for gate in gates if (job := job_of(gate)) is not None}
    keys = {key: gate for gate in gates if (key := key_of(gate)) is not None}
    active = {row.job_id for row in await active_runs(connection, jobs) if row.waiting_for is None}
    limits = await LimitRepository(connection).read(keys, now)
    room = {gate: 1 for job, gate in jobs.items() if job not in active}
    for key, gate in keys.items():
        free = limits[key].room if key in limits else None
        room[gate] = most if free is None else min(free, most)
    return {gate: free for gate, free in room.items() if free}


async def first_of(
    connection: AsyncConnection,
    room: dict[str, int],
    full_hosts: Collection[str],
    crowded_hosts: Collection[str],
    most: int,
) -> list[Queued]:
    """At each gate the first that wait there: those that have begun, then in turn; what is caught up comes last.

    It is left out where its host is crowded, the others where theirs is full.
    What has begun comes before all others, also what is caught up: those wait for it.
    """
    run, job, dialect = job_runs.c, cron_jobs.c, connection.dialect.name
    open_gates = rows(dialect, {"gate": String(), "room": Integer()})
    caught_up = run.trigger == Trigger.CATCH_UP
    place = func.row_number().over(
        partition_by=run.waiting_for, order_by=(run.attempt == 0, caught_up, run.due_at, run.id)
    )
    waiting = (
        select(run.id, run.ledger_at, job.host, run.due_at, caught_up.label("caught_up"))
        .add_columns(open_gates.c.room, place.label("place"))
        .join_from(job_runs, open_gates, open_gates.c.gate == run.waiting_for)
        .join(cron_jobs, job.uid == run.job_id)
        .where(text(HELD_UP), job.host.not_in(full_hosts), ~caught_up | job.host.not_in(crowded_hosts))
        .subquery()
    )
    query = select(waiting).where(waiting.c.place <= waiting.c.room)
    query = query.order_by(waiting.c.caught_up, waiting.c.due_at).limit(most)
    sent = encode(dialect, ({"gate": gate, "room": free} for gate, free in room.items()))
    found = await connection.execute(query, {"rows": sent})
    return [Queued(row.id, row.ledger_at, row.host, yields=row.caught_up) for row in found]
