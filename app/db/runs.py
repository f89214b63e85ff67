"""RunRepository: the rows of `job_runs`, read by people, and written where a person decides."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, func, select, text, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.days import days_of, in_days
from app.db.insert_runs import insert_runs
from app.db.partitions import make_partitions
from app.db.tables import FREE, HELD_UP, job_runs
from app.db.tenancy import EVERYWHERE, Tenancy
from app.db.types import AnyRow
from app.domain.gates import BACKFILL, CATCH_UP_RATE
from app.domain.identity import first_id, ledger_window
from app.domain.namespace import DEFAULT
from app.domain.run import COUNTED, Run, State, Trigger

_BATCH = 1000
_FEW_JOBS = 100

RUN_COLUMNS = [
    job_runs.c.owner.label("replica") if each.name == "replica" else job_runs.c[each.name] for each in fields(Run)
]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFilter:
    """`since` and `until` are instants of the ledger, [since, until)."""

    job_id: UUID | None = None
    state: State | None = None
    trigger: Trigger | None = None
    backfill_id: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None


class RunRepository:
    """Within the caller's transaction."""

    def __init__(self, connection: AsyncConnection, tenancy: Tenancy = EVERYWHERE) -> None:
        self._connection = connection
        self._tenancy = tenancy

    async def get(self, run_id: UUID) -> Run | None:
        return await self._one(_query(run_id).where(self._tenancy.holds_job(job_runs.c.job_id)))

    async def lock(self, run_id: UUID) -> Run | None:
        """As it stays until the transaction ends. It must be theirs, and its job locked before, if it is there."""
        return await self._one(_query(run_id).with_for_update())

    async def cancel(self, run: Run, reason: str, at: datetime) -> None:
        """It must be locked, and not ended. Of one that is called the reason is kept, for its replica to cut it."""
        if run.state is not State.RUNNING:
            ended = _ending(State.CANCELED, reason, at)
            await self._connection.execute(update(job_runs).where(_is(run)).values(ended))
        elif run.cancel_reason is None:
            await self._connection.execute(update(job_runs).where(_is(run)).values(cancel_reason=reason))

    async def page(self, filters: RunFilter, before: UUID | None, limit: int) -> list[Run]:
        """Newest first, since ids sort by time; `before` is the last id of the page before."""
        query = _filtered(select(*RUN_COLUMNS), filters).order_by(job_runs.c.id.desc()).limit(limit)
        if before is not None:
            query = query.where(job_runs.c.id < before, job_runs.c.ledger_at < ledger_window(before)[1])
        if filters.job_id is None and await self._has_few_jobs():
            query = _job_by_job(query, self._tenancy.jobs(), limit)
        else:
            query = query.where(self._tenancy.holds_job(job_runs.c.job_id))
        return [as_run(row) for row in await self._connection.execute(query)]

    async def add(self, values: Collection[dict[str, Any]]) -> set[UUID]:
        """See `insert_runs`; the ids of those that are new. Their days may have no partition yet, or none any more."""
        await make_partitions(self._connection, (each["ledger_at"] for each in values))
        return await insert_runs(self._connection, values)

    async def cancel_pending(self, job_id: UUID, reason: str, at: datetime) -> list[Trigger]:
        """The job must be locked, so that which of its runs are pending can't change. Why each of them existed."""
        pending = job_runs.c.job_id == job_id
        # Each has an index; without one, all that the job ever ran would be read.
        found = [row for which in (FREE, HELD_UP) for row in await self._found(pending & text(which))]
        await self._write(found, _ending(State.CANCELED, reason, at))
        return [Trigger(row.trigger) for row in found]

    async def last_after(self, at: datetime, job_ids: Collection[UUID]) -> datetime | None:
        """The last occurrence of these jobs that is in the ledger, if it is later than `at`."""
        run = job_runs.c
        query = select(func.max(run.ledger_at)).where(run.job_id.in_(job_ids), run.trigger.in_(COUNTED))
        query = query.where(run.id >= first_id(at), run.ledger_at > at)
        latest: datetime | None = (await self._connection.execute(query)).scalar_one()
        return latest

    async def judge_anew(self, job_id: UUID) -> None:
        """What held the job's runs up may concern them no longer, queues set aside. The job must be locked."""
        run = job_runs.c
        queues = (run.waiting_for == CATCH_UP_RATE) | run.waiting_for.startswith(BACKFILL)
        held_up = (run.job_id == job_id) & text(HELD_UP) & ~queues
        await self._write(await self._found(held_up), {"waiting_for": None})

    async def _has_few_jobs(self) -> bool:
        """So that its runs are looked for by job: one by one, those of all others would be walked over."""
        if self._tenancy.namespace in (None, DEFAULT) or self._connection.dialect.name != "postgresql":
            return False
        jobs = self._tenancy.jobs().limit(_FEW_JOBS + 1).subquery()
        return bool((await self._connection.scalar(select(func.count()).select_from(jobs)) or 0) <= _FEW_JOBS)

    async def _found(self, which: ColumnElement[bool]) -> list[AnyRow]:
        run = job_runs.c
        return list(await self._connection.execute(select(run.id, run.ledger_at, run.trigger).where(which)))

    async def _write(self, found: Sequence[AnyRow], values: Mapping[str, Any]) -> None:
        """Lock them by their keys, and write.

        The indexes of what is pending have other jobs' runs beside theirs, and MariaDB locks what it passes on its way.
        """
        run = job_runs.c
        for start in range(0, len(found), _BATCH):
            batch = found[start : start + _BATCH]
            these = run.id.in_([row.id for row in batch]) & in_days(run.ledger_at)
            window = days_of(row.ledger_at for row in batch)
            await self._connection.execute(select(run.id).where(these).order_by(run.id).with_for_update(), window)
            await self._connection.execute(update(job_runs).where(these).values(values), window)

    async def _one(self, query: Select[*tuple[Any, ...]]) -> Run | None:
        row = (await self._connection.execute(query)).first()
        return None if row is None else as_run(row)


def _query(run_id: UUID) -> Select[*tuple[Any, ...]]:
    """Its id names its day's partition."""
    start, end = ledger_window(run_id)
    return select(*RUN_COLUMNS).where(
        job_runs.c.id == run_id, job_runs.c.ledger_at >= start, job_runs.c.ledger_at < end
    )


def _job_by_job(query: Select[*tuple[Any, ...]], jobs: Select[Any], limit: int) -> Select[*tuple[Any, ...]]:
    """The first of each job by its index, and the first of these."""
    asked = jobs.subquery("asked")
    each = query.where(job_runs.c.job_id == asked.c.job_id).lateral("each")
    return select(*each.c).join_from(asked, each, true()).order_by(each.c.id.desc()).limit(limit)


def _is(run: Run) -> ColumnElement[bool]:
    return (job_runs.c.id == run.id) & (job_runs.c.ledger_at == run.ledger_at)


def _ending(state: State, reason: str, at: datetime) -> dict[str, Any]:
    """What waits for nothing any more."""
    return {"state": state, "reason": reason, "finished_at": at, "waiting_for": None}


def _filtered(query: Select[*tuple[Any, ...]], filters: RunFilter) -> Select[*tuple[Any, ...]]:
    for column, value in (("job_id", filters.job_id), ("state", filters.state), ("trigger", filters.trigger)):
        if value is not None:
            query = query.where(job_runs.c[column] == value)
    if filters.backfill_id is not None:
        start, end = ledger_window(filters.backfill_id)
        query = query.where(job_runs.c.backfill_id == filters.backfill_id)
        query = query.where(job_runs.c.ledger_at >= start, job_runs.c.ledger_at < end)
    if filters.since is not None:
        query = query.where(job_runs.c.ledger_at >= filters.since)
    if filters.until is not None:
        query = query.where(job_runs.c.ledger_at < filters.until)
    return query


def as_run(row: AnyRow) -> Run:
    values = dict(row._mapping)
    return Run(**values | {"state": State(values["state"]), "trigger": Trigger(values["trigger"])})
