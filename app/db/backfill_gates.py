"""What the gates of backfills count: how many runs each may have at a time, and who goes before them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.tables import HELD_UP, backfills, job_runs
from app.db.types import AnyRow
from app.domain.gates import Limit, job_gate
from app.domain.run import Trigger


async def caught_up_first(connection: AsyncConnection, jobs: Collection[UUID]) -> set[UUID]:
    """The jobs of which something that is to be caught up waits for the other runs to end."""
    if not jobs:
        return set()
    run = job_runs.c
    query = select(run.job_id).where(text(HELD_UP), run.waiting_for.in_(map(job_gate, jobs)))
    return set(await connection.scalars(query.where(run.trigger == Trigger.CATCH_UP).distinct()))


async def jobs_of(connection: AsyncConnection, backfill_ids: Collection[UUID]) -> dict[UUID, AnyRow]:
    """(id, job_id, concurrency) of each."""
    if not backfill_ids:
        return {}
    query = select(backfills.c.id, backfills.c.job_id, backfills.c.concurrency)
    return {row.id: row for row in await connection.execute(query.where(backfills.c.id.in_(backfill_ids)))}


def limits_of(found: Mapping[UUID, AnyRow], active: Iterable[UUID | None]) -> dict[UUID, Limit]:
    """`active` are the backfills of the runs that have begun and not ended, of the jobs of those that were found.

    Whoever starts one of them has locked the job, and that makes the count true for every replica.
    """
    counts = Counter(active)
    return {each: Limit(max_concurrency=row.concurrency, running=counts[each]) for each, row in found.items()}
