"""Sums over a stretch of the ledger. What is read of runs are those that schedules made, in [since, until)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import ColumnElement, func, literal, literal_column, select, text, type_coerce
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.audit_tables import due_counts
from app.db.spans import as_span
from app.db.spreads import as_outcomes, outcomes_query
from app.db.tables import cron_jobs, job_runs, job_spans, job_versions
from app.db.tenancy import EVERYWHERE, Tenancy, others_exist
from app.db.types import UtcDateTime
from app.domain.audit import HOUR, Gap
from app.domain.history import StoredVersion
from app.domain.identity import first_id, ledger_window
from app.domain.namespace import DEFAULT
from app.domain.run import COUNTED
from app.domain.span import Span
from app.domain.stats import Outcomes

_WHOLE_HOUR = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Stretch:
    """[since, until) of all jobs, or of these."""

    since: datetime
    until: datetime
    jobs: Collection[UUID] | None = None


class StatsRepository:
    """Within the caller's transaction, which sees one state of the ledger from `begin` on."""

    def __init__(self, connection: AsyncConnection, tenancy: Tenancy = EVERYWHERE) -> None:
        self._connection = connection
        self._dialect = connection.dialect.name
        self._tenancy = tenancy

    async def begin(self) -> None:
        """Comes before anything else: runs that are claimed between two statements would be seen by one of them."""
        if self._dialect != "sqlite":
            await self._connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
        if self._dialect == "postgresql":
            await self._connection.execute(text("SET LOCAL jit = off"))  # compiling takes longer than what it saves
        if self._tenancy.namespace == DEFAULT and not await self._connection.scalar(select(others_exist())):
            self._tenancy = EVERYWHERE  # all jobs are its own, so that nothing has to be left out

    async def jobs(self, stretch: Stretch, after: UUID | None, limit: int) -> list[UUID]:
        """A page of the jobs that there were, by id."""
        version = job_versions.c
        query = select(version.job_id).distinct().where(version.effective_from < stretch.until)
        query = query.where(self._tenancy.holds_jobs(version.job_id))
        query = query.where(version.effective_until.is_(None) | (version.effective_until >= stretch.since))
        if stretch.jobs is not None:
            query = query.where(version.job_id.in_(stretch.jobs))
        if after is not None:
            query = query.where(version.job_id > after)
        return list(await self._connection.scalars(query.order_by(version.job_id).limit(limit)))

    async def names(self, jobs: Collection[UUID]) -> dict[UUID, str]:
        """The last name of each job that is still there, or whose versions tell one."""
        version = job_versions.c
        told = select(version.job_id, version.definition["name"].as_string().label("name"))
        told = told.where(version.job_id.in_(jobs)).order_by(version.version)
        there = select(cron_jobs.c.uid, cron_jobs.c.name).where(cron_jobs.c.uid.in_(jobs))
        found = {row.job_id: row.name for row in await self._connection.execute(told) if row.name is not None}
        return found | {row.uid: row.name for row in await self._connection.execute(there)}

    async def due(self, stretch: Stretch) -> int:
        total = select(func.coalesce(func.sum(due_counts.c.due), 0))
        return int((await self._connection.execute(total.where(*self._counted(stretch)))).scalar_one())

    async def due_of(self, stretch: Stretch) -> dict[UUID, int]:
        """By job."""
        query = select(due_counts.c.job_id, func.sum(due_counts.c.due)).group_by(due_counts.c.job_id)
        found = await self._connection.execute(query.where(*self._counted(stretch)))
        return {job_id: int(due) for job_id, due in found}

    async def outcomes(self, stretch: Stretch) -> Outcomes:
        query = outcomes_query(self._dialect, self._made(stretch))
        return as_outcomes((await self._connection.execute(query)).one()._asdict())

    async def outcomes_of(self, stretch: Stretch) -> dict[UUID, Outcomes]:
        """By job; those without runs are left out."""
        query = outcomes_query(self._dialect, self._made(stretch), [job_runs.c.job_id])
        return {row.job_id: as_outcomes(row._asdict()) for row in await self._connection.execute(query)}

    async def gaps(self, stretch: Stretch) -> list[Gap]:
        """The hours in which a job has fewer runs than it was due."""
        hour = self._hour().label("hour")
        made = select(job_runs.c.job_id, hour, func.count().label("made")).where(*self._made(stretch))
        found = made.group_by(job_runs.c.job_id, hour).subquery("found")
        missing = due_counts.c.due - func.coalesce(found.c.made, 0)
        same = (found.c.job_id == due_counts.c.job_id) & (found.c.hour == due_counts.c.hour)
        query = select(due_counts.c.job_id, due_counts.c.hour, missing).outerjoin_from(due_counts, found, same)
        return [Gap(*row) for row in await self._connection.execute(query.where(*self._counted(stretch), missing > 0))]

    async def spans(self, stretch: Stretch, jobs: Collection[UUID]) -> dict[UUID, list[Span]]:
        """Those that hold any of it, by job, oldest first."""
        span, found = job_spans.c, dict[UUID, list[Span]]()
        query = select(job_spans).where(span.job_id.in_(jobs), span["from"] < stretch.until)
        query = query.where(span.until.is_(None) | (span.until >= stretch.since)).order_by(span["from"], span.id)
        for row in await self._connection.execute(query):
            found.setdefault(row.job_id, []).append(as_span(row._mapping))
        return found

    async def next_runs(self, jobs: Collection[UUID], before: datetime) -> dict[UUID, datetime]:
        """The occurrences that these jobs wait for."""
        job = cron_jobs.c
        query = select(job.uid, job.next_run).where(job.uid.in_(jobs), job.next_run < before)
        return {row.uid: row.next_run for row in await self._connection.execute(query)}

    async def versions(self, stretch: Stretch, jobs: Collection[UUID]) -> dict[UUID, list[StoredVersion]]:
        """Those in force, by job, oldest first."""
        version, found = job_versions.c, dict[UUID, list[StoredVersion]]()
        query = select(job_versions).where(version.job_id.in_(jobs), version.effective_from < stretch.until)
        query = query.where(version.effective_until.is_(None) | (version.effective_until >= stretch.since))
        for row in await self._connection.execute(query.order_by(version.job_id, version.version)):
            values = dict(row._mapping)
            found.setdefault(values.pop("job_id"), []).append(StoredVersion(**values))
        return found

    def _hour(self) -> ColumnElement[datetime]:
        """The hour in which a run stands, as `due_counts` has it. With date_trunc and a zone it takes twice as long."""
        at = job_runs.c.ledger_at
        if self._dialect == "postgresql":
            return func.date_bin(HOUR, at, literal(_WHOLE_HOUR, UtcDateTime), type_=UtcDateTime)
        if self._dialect == "mariadb":
            return func.timestamp(func.date_format(at, "%Y-%m-%d %H:00:00"), type_=UtcDateTime)
        return type_coerce(func.substr(at, 1, 13).concat(literal_column("':00:00.000000'")), UtcDateTime)

    def _counted(self, stretch: Stretch) -> list[ColumnElement[bool]]:
        count = due_counts.c
        within = [count.hour >= stretch.since, count.hour < stretch.until, self._tenancy.holds_jobs(count.job_id)]
        return within if stretch.jobs is None else [count.job_id.in_(stretch.jobs), *within]

    def _made(self, stretch: Stretch) -> list[ColumnElement[bool]]:
        """Of single jobs by their index, which has the ids, of all by the partitions of the days."""
        run = job_runs.c
        which = [run.ledger_at >= stretch.since, run.ledger_at < stretch.until, run.trigger.in_(COUNTED)]
        which.append(self._tenancy.holds_jobs(run.job_id))
        if stretch.jobs is not None:
            ids = first_id(stretch.since), first_id(ledger_window(first_id(stretch.until))[1])
            which += [run.job_id.in_(stretch.jobs), run.id >= ids[0], run.id < ids[1]]
        return which
