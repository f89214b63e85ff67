"""What became of all that was due in a stretch of time, in numbers."""

from __future__ import annotations

from asyncio import to_thread
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from app.db.engine import Database
from app.db.histories import read_version
from app.db.stats import Stretch
from app.db.transaction import Transaction, reading
from app.domain.audit import HOUR, Absence, hour_of
from app.domain.errors import InvalidInput
from app.domain.explanation import Finding
from app.domain.history import History, StoredVersion
from app.domain.instants import rfc3339
from app.domain.retention import KEPT
from app.domain.stats import Counted, Figures, JobFigures, Outcomes, Stats
from app.service.jobs import found

USUAL = timedelta(hours=24)

_Absent = Mapping[UUID, Mapping[Finding, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class StatsAsked:
    """Whole hours that hold [since, until), as far as they are counted; `job` is a name, or the id of any job."""

    since: datetime | None = None
    until: datetime | None = None
    job: str | UUID | None = None


class StatsService:
    """Runs are `kept` for so long."""

    def __init__(self, database: Database, kept: timedelta = KEPT) -> None:
        self._database = database
        self._kept = kept

    async def stats(self, asked: StatsAsked, after: UUID | None, limit: int) -> tuple[Stats, bool]:
        """With a page of the jobs by id, and whether there are more. Raises InvalidInput and JobNotFound."""
        async with reading(self._database) as tx:
            await tx.stats.begin()
            now, counted = await tx.time(), await tx.audits.counted()
            since, until = self._bounds(asked, now)
            jobs = None if asked.job is None else [await _job_id(tx, asked.job)]
            stretch = _stretch(since, until, counted, jobs, now - self._kept)
            absent = await _absent(tx, stretch)
            total = Figures(
                due=await tx.stats.due(stretch),
                outcomes=await tx.stats.outcomes(stretch),
                absent=sum(map(Counter, absent.values()), Counter[Finding]()),
            )
            page = await tx.stats.jobs(stretch, after, limit + 1)
            figures = await _figures(tx, replace(stretch, jobs=page[:limit]), absent)
        return (
            Stats(since=stretch.since, until=stretch.until, counted=counted, total=total, jobs=figures),
            len(page) > limit,
        )

    def _bounds(self, asked: StatsAsked, now: datetime) -> tuple[datetime, datetime]:
        since = now - min(USUAL, self._kept) if asked.since is None else asked.since
        until = now if asked.until is None else asked.until
        if since < now - self._kept:
            raise InvalidInput(
                f"since is longer ago than runs are kept: {rfc3339(since)}.",
                field="since",
                remedy=f"Use {rfc3339(now - self._kept)} or later.",
            )
        if until <= since:
            raise InvalidInput(
                "until is not after since.", field="until", remedy="Use a later instant, or leave it out."
            )
        return since, until


def _stretch(
    since: datetime, until: datetime, counted: Counted | None, jobs: list[UUID] | None, kept_since: datetime
) -> Stretch:
    """Whole hours, but for the last that is counted; the first hour of what is kept is not whole any more."""
    start = hour_of(since) if hour_of(since) >= kept_since else hour_of(since) + HOUR
    if counted is None:
        return Stretch(start, start, jobs)
    start = max(start, counted.since)
    end = min(hour_of(until) + HOUR if until > hour_of(until) else until, counted.until)
    return Stretch(start, max(start, end), jobs)


async def _job_id(tx: Transaction, job: str | UUID) -> UUID:
    return job if isinstance(job, UUID) else found(await tx.jobs.get(job), job).uid


async def _absent(tx: Transaction, stretch: Stretch) -> _Absent:
    """What became of the due instants that have no run, by job."""
    gaps = await tx.stats.gaps(stretch)
    jobs = {gap.job_id for gap in gaps}
    absence = Absence(
        until=stretch.until,
        spans=await tx.stats.spans(stretch, jobs),
        next_runs=await tx.stats.next_runs(jobs, stretch.until),
        pruned=await tx.retention.pruned(jobs),
    )
    unclear = await to_thread(absence.unclear, gaps)
    stored = await tx.stats.versions(stretch, unclear)
    return await to_thread(lambda: absence.explain(gaps, _histories(unclear, stored)))


def _histories(jobs: set[UUID], stored: Mapping[UUID, list[StoredVersion]]) -> dict[UUID, History]:
    return {job: History([read_version(each, "") for each in stored.get(job, [])]) for job in jobs}


async def _figures(tx: Transaction, page: Stretch, absent: _Absent) -> list[JobFigures]:
    due, outcomes = await tx.stats.due_of(page), await tx.stats.outcomes_of(page)
    names = await tx.stats.names(page.jobs or ())
    return [
        JobFigures(
            job_id=job,
            name=names.get(job, ""),
            figures=Figures(due=due.get(job, 0), outcomes=outcomes.get(job, Outcomes()), absent=absent.get(job, {})),
        )
        for job in page.jobs or ()
    ]
