"""JobRepository: the rows of `cron_jobs`, within the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, bindparam, delete, insert, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.locking import locking
from app.db.namespace_tables import job_namespaces
from app.db.policies import dump_policies, uses_calendar
from app.db.readable import readable
from app.db.rows import columns_of, encode, rows
from app.db.tables import FAILING, cron_jobs
from app.db.tenancy import EVERYWHERE, Tenancy
from app.db.types import AnyRow
from app.domain.errors import NameTaken
from app.domain.job import JobDefinition, PersistedJob
from app.domain.namespace import DEFAULT

_FIELDS = [each.name for each in fields(PersistedJob)]
_DEFINED = [each.name for each in fields(JobDefinition)]
_COLUMNS = [cron_jobs.c[name] for name in _FIELDS]
_WRITTEN = [
    *(*_DEFINED, "version", "anchor", "next_run", "problem", "updated_at"),
    *("completed", "runs_made", "failures_in_a_row", "pause_note", "paused_until"),
]
_COURSE = ("next_run", "completed", "runs_made")
_WRITE = (
    update(cron_jobs)
    .where(cron_jobs.c.id == bindparam("written"))
    .values({name: bindparam(name) for name in (*_WRITTEN, "host", "computed_under")})
)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFilter:
    """`labels` must all match; `text` is looked for in the name."""

    enabled: bool | None = None
    completed: bool | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    text: str | None = None


class JobRepository:
    """Names are unique in a namespace; a row that is locked stays as it is read until the transaction ends.

    What names no job is of all namespaces: it is the scheduler's.
    """

    def __init__(self, connection: AsyncConnection, tenancy: Tenancy = EVERYWHERE) -> None:
        self._connection = connection
        self._tenancy = tenancy

    async def get(self, name: str) -> PersistedJob | None:
        return await self._one(self._named(name))

    async def of_uid(self, uid: UUID) -> PersistedJob | None:
        job = cron_jobs.c
        return await self._one(select(*_COLUMNS).where(job.uid == uid, self._tenancy.holds(job.namespace)))

    async def lock(self, name: str) -> PersistedJob | None:
        return await self._one(self._named(name).with_for_update())

    async def lock_unless_locked(self, job_id: int) -> PersistedJob | None:
        """None too where another transaction has it."""
        return await self._one(select(*_COLUMNS).where(cron_jobs.c.id == job_id).with_for_update(skip_locked=True))

    async def paused_until(self, at: datetime, limit: int) -> list[int]:
        """Ids of jobs whose pause was to end by then."""
        query = select(cron_jobs.c.id).where(cron_jobs.c.paused_until <= at)
        return list(await self._connection.scalars(query.order_by(cron_jobs.c.paused_until).limit(limit)))

    async def failing(self, limit: int) -> list[int]:
        """Ids of jobs that wait for an occurrence and have failed as often in a row as they may."""
        job = cron_jobs.c
        most = job.policies["pause_after_failures"].as_integer()
        waiting = job.enabled & job.next_run.is_not(None)
        query = select(job.id).where(text(FAILING), waiting, job.failures_in_a_row >= most)
        return list(await self._connection.scalars(query.limit(limit)))

    async def earliest_wait(self, before: datetime) -> datetime | None:
        """The earliest occurrence before the instant that a job waits for.

        Of the first thousand, those that this program can't read are left out: nobody makes their runs.
        """
        query = select(*_COLUMNS).where(cron_jobs.c.enabled, cron_jobs.c.next_run < before)
        found = await self._connection.execute(query.order_by(cron_jobs.c.next_run).limit(1000))
        return next((job.next_run for job in map(_job, found) if job.problem is None), None)

    async def keeping_few(self, after: int, limit: int) -> list[PersistedJob]:
        """A page by id of the jobs that have `keep_runs`."""
        job = cron_jobs.c
        query = select(*_COLUMNS).where(job.id > after, job.policies["keep_runs"].as_integer().is_not(None))
        return [_job(row) for row in await self._connection.execute(query.order_by(job.id).limit(limit))]

    async def lock_scheduled(self, limit: int) -> list[PersistedJob]:
        """Jobs that wait for an occurrence, by id."""
        waiting = cron_jobs.c.enabled & cron_jobs.c.next_run.is_not(None)
        return await self._locked(select(*_COLUMNS).where(waiting), limit)

    async def lock_due(self, until: datetime, after: int, limit: int) -> list[PersistedJob]:
        """A page by id of the jobs that wait for an occurrence at `until` or before, or whose pause ends by then."""
        job = cron_jobs.c
        due = (job.enabled & (job.next_run <= until)) | (job.paused_until <= until)
        return await self._locked(select(*_COLUMNS).where(job.id > after, due), limit)

    async def lock_among(self, uids: Sequence[UUID]) -> list[PersistedJob]:
        return await self._locked(select(*_COLUMNS).where(cron_jobs.c.uid.in_(uids)))

    async def lock_using(self, calendar: str, after: int, limit: int) -> list[PersistedJob]:
        """A page by id of the jobs that name the calendar."""
        query = select(*_COLUMNS).where(cron_jobs.c.id > after)
        return await self._locked(query.where(*self._uses(calendar)), limit)

    async def using(self, calendar: str) -> dict[int, str]:
        """Names of the jobs that name the calendar, by the jobs' integer ids."""
        query = select(cron_jobs.c.id, cron_jobs.c.name).order_by(cron_jobs.c.name)
        found = await self._connection.execute(query.where(*self._uses(calendar)))
        return {row.id: row.name for row in found}

    async def lock_computed_before(self, rules: str, after: int, limit: int) -> tuple[list[PersistedJob], int | None]:
        """A page by id of the jobs whose next time was computed under earlier rules, and the last id of the page.

        Jobs that another replica is busy with are left out, and so are those that this program can't read.
        """
        query = select(*_COLUMNS).where(cron_jobs.c.computed_under < rules, cron_jobs.c.id > after)
        query = query.order_by(cron_jobs.c.id).limit(limit).with_for_update(skip_locked=True)
        found = list(await self._connection.execute(query))
        return [_job(row) for row in found if not readable(row._asdict())[1]], found[-1].id if found else None

    async def page(self, filters: JobFilter, after: str | None, limit: int) -> list[PersistedJob]:
        """By name; `after` is the last name of the page before."""
        query = select(*_COLUMNS).where(self._tenancy.holds(cron_jobs.c.namespace))
        query = query.order_by(cron_jobs.c.name).limit(limit)
        if after is not None:
            query = query.where(cron_jobs.c.name > after)
        return [_job(row) for row in await self._connection.execute(_filtered(query, filters))]

    async def add(self, definition: JobDefinition, **columns: Any) -> PersistedJob:
        """Raises NameTaken."""
        values = _values(definition, _DEFINED) | columns | {"namespace": self._tenancy.home}
        try:
            found = await self._connection.execute(insert(cron_jobs).values(values).returning(*_COLUMNS))
        except IntegrityError as error:
            raise NameTaken(
                f"A job named {definition.name} exists already.",
                field="name",
                remedy="Use another name, or PUT to replace it.",
            ) from error
        job = _job(found.one())
        if job.namespace != DEFAULT:
            listed = insert(job_namespaces).values(job_id=job.uid, namespace=job.namespace)
            await self._connection.execute(listed)
        return job

    async def write(self, jobs: Iterable[tuple[PersistedJob, str]], computed_under: str) -> None:
        """Write jobs as they are given, each with the host that it calls, but for the facts that recording writes."""
        values = [
            _values(job, _WRITTEN) | {"written": job.id, "host": host, "computed_under": computed_under}
            for job, host in jobs
        ]
        if values:
            await self._connection.execute(_WRITE, values)

    async def reschedule(self, jobs: Iterable[PersistedJob]) -> None:
        """Write how far the jobs are, and no new version of them."""
        await self._move(jobs, _COURSE)

    async def renew(self, jobs: Iterable[PersistedJob]) -> None:
        """The same as new versions, of which nothing else is new."""
        await self._move(jobs, (*_COURSE, "version", "updated_at"))

    async def remove(self, job_id: int) -> None:
        await self._connection.execute(delete(cron_jobs).where(cron_jobs.c.id == job_id))

    async def _move(self, jobs: Iterable[PersistedJob], names: Sequence[str]) -> None:
        dialect = self._connection.dialect.name
        sent = rows(dialect, columns_of(cron_jobs.c.id, *(cron_jobs.c[name] for name in names)))
        values = ({"id": job.id} | {name: getattr(job, name) for name in names} for job in jobs)
        moved = update(cron_jobs).where(cron_jobs.c.id == sent.c.id).values({name: sent.c[name] for name in names})
        await self._connection.execute(moved, {"rows": encode(dialect, values)})

    def _named(self, name: str) -> Select[*tuple[Any, ...]]:
        job = cron_jobs.c
        return select(*_COLUMNS).where(job.namespace == self._tenancy.home, job.name == name)

    def _uses(self, calendar: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
        named = uses_calendar(self._connection.dialect.name, calendar)
        return named, cron_jobs.c.namespace == self._tenancy.home

    async def _one(self, query: Select[*tuple[Any, ...]]) -> PersistedJob | None:
        row = (await self._connection.execute(query)).first()
        return None if row is None else _job(row)

    async def _locked(self, query: Select[*tuple[Any, ...]], most: int | None = None) -> list[PersistedJob]:
        found = await self._connection.execute(locking(self._connection.dialect.name, query, most))
        return [_job(row) for row in found]


def _filtered(query: Select[*tuple[Any, ...]], filters: JobFilter) -> Select[*tuple[Any, ...]]:
    if filters.enabled is not None:
        query = query.where(cron_jobs.c.enabled == filters.enabled)
    if filters.completed is not None:
        query = query.where(cron_jobs.c.completed == filters.completed)
    for key, value in filters.labels.items():
        query = query.where(cron_jobs.c.labels[key].as_string() == value)
    if filters.text:
        query = query.where(cron_jobs.c.name.icontains(filters.text, autoescape=True))
    return query


def _job(row: AnyRow) -> PersistedJob:
    values, problem = readable(row._asdict())
    return PersistedJob(**values | ({"problem": problem} if problem else {}))


def _values(job: JobDefinition, names: Iterable[str]) -> dict[str, Any]:
    return {name: getattr(job, name) for name in names} | {"policies": dump_policies(job.policies)}
