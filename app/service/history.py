"""Use cases that look back: the versions of a job, and what became of instants."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from app.db.engine import Database
from app.db.transaction import Transaction, reading
from app.domain.errors import JobNotFound
from app.domain.explanation import Explanation
from app.domain.history import StoredVersion
from app.domain.retention import KEPT
from app.service.explain import Asked, Look, Subject
from app.service.jobs import found


class HistoryService:
    """Raises JobNotFound. Runs are `kept` for so long."""

    def __init__(self, database: Database, kept: timedelta = KEPT) -> None:
        self._database = database
        self._kept = kept

    async def versions(self, job: str | UUID, before: int | None, limit: int) -> list[StoredVersion]:
        """Newest first, by the job's name, or by its id also once it is deleted."""
        async with reading(self._database) as tx:
            uid = job if isinstance(job, UUID) else found(await tx.jobs.get(job), job).uid
            return await tx.versions.page(uid, before, limit)

    async def explain(
        self, job: str | UUID, asked: Asked, after: datetime | None, limit: int
    ) -> tuple[list[Explanation], bool]:
        """Oldest first, at most `limit` after the instant of the page before; the flag says whether there are more."""
        async with reading(self._database) as tx:
            return await Look(tx, await _subject(tx, job), asked, limit, self._kept).explain(after)


async def _subject(tx: Transaction, which: str | UUID) -> Subject:
    """A job that is there, or by its id one that was."""
    if isinstance(which, str):
        job = found(await tx.jobs.get(which), which)
        return Subject(job.uid, job.name, job)
    known = await tx.jobs.of_uid(which)
    if known is None and not await tx.versions.page(which, None, 1):
        raise JobNotFound(f"There is no job with the id {which}.", remedy="Use the job_id of a run or of a version.")
    return Subject(which, "" if known is None else known.name, known)
