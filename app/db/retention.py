"""RetentionRepository: rows that have had their time go, in batches, and what went is noted in the same transaction.

`pruned` says of a job, or under EVERY_JOB of all, before which instant of the ledger rows may be gone.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Delete, Select, delete, exists, func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.tables import backfills, cron_jobs, job_runs, job_spans, job_versions, pruned
from app.db.trace_tables import job_attempts
from app.db.types import AnyRow
from app.db.upserts import one_into, or_update
from app.domain.identity import first_id, ledger_window
from app.domain.lifecycle import ENDED

EVERY_JOB = UUID(int=0)
"""A job's id is never nil."""

_IN_TURN = text("SELECT pg_advisory_xact_lock(hashtext('cronledger retention batch'))")
_HAS_ENDED = job_runs.c.state.in_(sorted(ENDED))


class RetentionRepository:
    """Within the caller's transaction. Runs that have not ended are let be.

    Who compares rows with instants asks last what was pruned: what goes meanwhile is seen as gone, if not as there.
    """

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def pruned(self, job_ids: Collection[UUID]) -> dict[UUID, datetime]:
        """Before which instant rows of each job may be gone; jobs that still have all of theirs are left out."""
        found = await self._until([*job_ids, EVERY_JOB])
        every = found.pop(EVERY_JOB, None)
        told = {job_id: [at for at in (every, found.get(job_id)) if at is not None] for job_id in job_ids}
        return {job_id: max(instants) for job_id, instants in told.items() if instants}

    async def thinned(self, job_id: UUID) -> datetime | None:
        """The same of what the job's own `keep_runs` removed."""
        return (await self._until([job_id])).get(job_id)

    async def last(self, job_ids: Collection[UUID]) -> datetime | None:
        """Before which instant rows of some of these jobs may be gone."""
        return max((await self.pruned(job_ids)).values(), default=None)

    async def note(self, until: datetime, job_id: UUID = EVERY_JOB) -> None:
        dialect = self._connection.dialect.name
        greater = func.max if dialect == "sqlite" else func.greatest
        noted = one_into(dialect, pruned, {"job_id": job_id, "until": until})
        noted = or_update(noted, ["job_id"], lambda told: {"until": greater(pruned.c.until, told["until"])})
        await self._connection.execute(noted)
        if job_id == EVERY_JOB:
            await self._connection.execute(delete(pruned).where(pruned.c.until < until, pruned.c.job_id != EVERY_JOB))

    async def remove_aged(self, after: UUID, before: datetime, most: int) -> UUID | None:
        """Runs that stand before the instant, of all jobs; see `remove_surplus`."""
        return await self._remove([], after, first_id(before), most, EVERY_JOB)

    async def surplus(self, job_id: UUID, keep: int) -> UUID | None:
        """The newest of the job's runs that is not among the `keep` newest that ended."""
        run = job_runs.c
        query = select(run.id).where(run.job_id == job_id, _HAS_ENDED).order_by(run.id.desc())
        surplus: UUID | None = await self._connection.scalar(query.offset(keep).limit(1))
        return surplus

    async def remove_surplus(
        self, job_id: UUID, after: UUID, newest: UUID, waits_for: datetime | None, most: int
    ) -> UUID | None:
        """The job's runs after one id up to another; what stands from the occurrence on that it waits for is let be.

        The id after which to go on; None where there was nothing more.
        """
        end = UUID(int=newest.int + 1)
        if waits_for is not None:
            end = min(end, first_id(waits_for))
        return await self._remove([job_runs.c.job_id == job_id], after, end, most, job_id)

    async def remove_spans(self, before: datetime, most: int) -> int:
        """Those that closed before the instant."""
        span = job_spans.c
        query = select(span.id, span.until).where(span.until < before).order_by(span.id).limit(most)
        found = (await self._connection.execute(query)).all()
        if found:
            await self._connection.execute(delete(job_spans).where(span.id.in_([row.id for row in found])))
            await self.note(max(row.until for row in found))
        return len(found)

    async def remove_backfills(self, before: datetime, most: int) -> int:
        """Those made before the instant, once the last of their runs is gone."""
        run, backfill = job_runs.c, backfills.c
        going = exists().where(run.backfill_id == backfill.id, run.ledger_at == backfill.created_at)
        which = select(backfill.id).where(backfill.id < first_id(before), ~going).order_by(backfill.id).limit(most)
        return await self._count(delete(backfills).where(backfill.id.in_(_at_most(which))))

    async def remove_versions(self, before: datetime, most: int) -> int:
        """Those of jobs that were deleted before the instant and have no rows any more: `most` jobs."""
        version, later = job_versions.c, job_versions.alias().c
        kept = exists().where(
            later.job_id == version.job_id, later.effective_until.is_(None) | (later.effective_until >= before)
        )
        rows = exists().where(job_runs.c.job_id == version.job_id) | exists().where(
            job_spans.c.job_id == version.job_id
        )
        here = exists().where(cron_jobs.c.uid == version.job_id)
        which = select(version.job_id).where(version.effective_until < before, ~here, ~kept, ~rows).distinct()
        return await self._count(delete(job_versions).where(version.job_id.in_(_at_most(which.limit(most)))))

    async def _until(self, job_ids: Sequence[UUID]) -> dict[UUID, datetime]:
        query = select(pruned.c.job_id, pruned.c.until).where(pruned.c.job_id.in_(job_ids))
        return {UUID(int=row.job_id.int): row.until for row in await self._connection.execute(query)}

    async def _remove(
        self, which: Sequence[ColumnElement[bool]], after: UUID, end: UUID, most: int, job_id: UUID
    ) -> UUID | None:
        """The first `most` that ended, with their attempts. Who is second waits, and finds them gone.

        To begin after those that went before spares a walk over all that they left in the index.
        """
        run, attempt = job_runs.c, job_attempts.c
        if self._connection.dialect.name == "postgresql":
            await self._connection.execute(_IN_TURN)
        low, high = ledger_window(after)[0], ledger_window(end)[1]
        query = select(run.id, run.ledger_at).where(*which, _HAS_ENDED, run.id > after, run.id < end)
        query = query.where(run.ledger_at >= low, run.ledger_at < high).order_by(run.id).limit(most)
        found = (await self._connection.execute(query)).all()
        if not found:
            return None
        ids, days = [row.id for row in found], _stretch(found)
        its_attempts = delete(job_attempts).where(attempt.run_id.in_(ids), attempt.ledger_at.between(*days))
        await self._connection.execute(its_attempts)
        await self._connection.execute(delete(job_runs).where(run.id.in_(ids), run.ledger_at.between(*days)))
        await self.note(ledger_window(ids[-1])[1], job_id)
        return UUID(int=ids[-1].int)

    async def _count(self, statement: Delete) -> int:
        return (await self._connection.execute(statement)).rowcount


def _at_most(which: Select[UUID]) -> Select[Any]:
    """MariaDB takes no LIMIT in a subquery of IN, but in one of that."""
    return select(which.subquery("chosen"))


def _stretch(found: Sequence[AnyRow]) -> tuple[Any, Any]:
    """The partitions that hold them."""
    return min(row.ledger_at for row in found), max(row.ledger_at for row in found)
