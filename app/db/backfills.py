"""BackfillRepository: the rows of `backfills`, and their runs in the ledger."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, fields
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, case, func, insert, null, select, text, union_all, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.tables import OUT_OF_PLACE, backfills, job_runs
from app.db.tenancy import EVERYWHERE, Tenancy
from app.domain.backfill import Backfill, Progress
from app.domain.identity import id_range
from app.domain.lifecycle import ENDED
from app.domain.run import State, Trigger

_COLUMNS = [backfills.c[each.name] for each in fields(Backfill)]
_NEEDS_NO_RUN = [State.SUCCEEDED, *sorted(set(State) - ENDED)]
_UNFINISHED = job_runs.c.state.not_in(ENDED)


class BackfillRepository:
    """Within the caller's transaction."""

    def __init__(self, connection: AsyncConnection, tenancy: Tenancy = EVERYWHERE) -> None:
        self._connection = connection
        self._tenancy = tenancy

    async def add(self, backfill: Backfill) -> None:
        await self._connection.execute(insert(backfills).values(asdict(backfill)))

    async def get(self, backfill_id: UUID) -> Backfill | None:
        query = select(*_COLUMNS).where(backfills.c.id == backfill_id, self._tenancy.holds_job(backfills.c.job_id))
        row = (await self._connection.execute(query)).first()
        return None if row is None else Backfill(**row._mapping)

    async def page(self, job_name: str | None, before: UUID | None, limit: int) -> list[Backfill]:
        """Newest first, since ids sort by time; those of deleted jobs too. `before` is the page's before."""
        query = select(*_COLUMNS).where(self._tenancy.holds_job(backfills.c.job_id))
        query = query.order_by(backfills.c.id.desc()).limit(limit)
        if job_name is not None:
            query = query.where(backfills.c.job_name == job_name)
        if before is not None:
            query = query.where(backfills.c.id < before)
        return [Backfill(**row._mapping) for row in await self._connection.execute(query)]

    async def progress(self, found: Sequence[Backfill]) -> dict[UUID, Progress]:
        """Of each. The runs of a backfill stand in the ledger where it was created."""
        if not found:
            return {}
        run, created = job_runs.c, [each.created_at for each in found]
        query = (
            select(run.backfill_id, run.state, func.count().label("runs"), func.max(run.finished_at).label("last"))
            .where(run.backfill_id.in_([each.id for each in found]))
            .where(run.ledger_at.between(min(created), max(created)))
            .group_by(run.backfill_id, run.state)
        )
        counts: defaultdict[UUID, dict[State, int]] = defaultdict(dict)
        ended: defaultdict[UUID, list[datetime]] = defaultdict(list)
        for row in await self._connection.execute(query):
            counts[row.backfill_id][State(row.state)] = row.runs
            ended[row.backfill_id] += [] if row.last is None else [row.last]
        return {each.id: Progress(counts[each.id], max(ended[each.id], default=None)) for each in found}

    async def need_no_run(self, job_id: UUID, occurrences: Sequence[datetime]) -> set[datetime]:
        """Those of which a run succeeded or is under way. They ascend, and their job must be locked.

        Most runs stand at their own instant in the ledger. What was repeated or backfilled has an index of its own.
        """
        run, first, last = job_runs.c, occurrences[0], occurrences[-1]
        mine = select(run.scheduled_for).where(run.job_id == job_id, run.scheduled_for.between(first, last))
        mine = mine.where(run.state.in_(_NEEDS_NO_RUN), run.trigger != Trigger.NOTIFY)
        there = mine.where(run.ledger_at.between(first, last), run.id.between(*id_range(first, last)))
        elsewhere = mine.where(text(OUT_OF_PLACE), run.ledger_at > first)
        return set(await self._connection.scalars(union_all(there, elsewhere)))

    async def cancel(self, backfill: Backfill, reason: str, at: datetime) -> tuple[int, bool]:
        """End what is not called, and have the calls cut: how many ended, and whether any is called.

        The job must be locked, if it is still there. Runs are locked by id, then written.
        """
        run, mine = job_runs.c, _runs_of(backfill) & _UNFINISHED
        found = await self._connection.scalars(select(run.state).where(mine).order_by(run.id).with_for_update())
        states = list(found)
        called = run.state == State.RUNNING
        write = (
            update(job_runs)
            .where(mine)
            .values(
                state=case((called, run.state), else_=State.CANCELED),
                reason=case((called, run.reason), else_=reason),
                finished_at=case((called, null()), else_=at),
                waiting_for=null(),
                cancel_reason=case((called, func.coalesce(run.cancel_reason, reason)), else_=run.cancel_reason),
            )
        )
        await self._connection.execute(write)
        await self._mark(backfills.c.id == backfill.id, at)
        running = states.count(State.RUNNING)
        return len(states) - running, running > 0

    async def end_with_job(self, job_id: UUID, at: datetime) -> None:
        """Before the job's pending runs are ended: its backfills that have unfinished runs are canceled."""
        run = job_runs.c
        going_on = select(run.backfill_id).where(run.job_id == job_id, run.backfill_id.is_not(None), _UNFINISHED)
        await self._mark((backfills.c.job_id == job_id) & backfills.c.id.in_(going_on), at)

    async def _mark(self, which: ColumnElement[bool], at: datetime) -> None:
        write = update(backfills).where(which, backfills.c.canceled_at.is_(None)).values(canceled_at=at)
        await self._connection.execute(write)


def _runs_of(backfill: Backfill) -> ColumnElement[bool]:
    return (job_runs.c.backfill_id == backfill.id) & (job_runs.c.ledger_at == backfill.created_at)
