"""Every store and service over one database, with a clock that stands still, and what tests ask the tables."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Table, insert, select, text, update

from app.db.cancellations import CancellationSource
from app.db.claims import ClaimTransaction
from app.db.engine import connect
from app.db.events import EventLog
from app.db.horizon import Horizon
from app.db.job_rows import JobRowSource
from app.db.records import RecordTransaction
from app.db.replicas import ReplicaRepository
from app.db.spans import SpanRepository
from app.db.starts import StartTransaction
from app.db.tables import cron_jobs, job_runs, job_versions
from app.db.time import BoundTime
from app.domain.claim import Candidate, Claims, Finished, Queued, Started
from app.domain.clock import Clock
from app.domain.job import JobDefinition, PersistedJob
from app.domain.misfire import plan
from app.domain.policies import Policies
from app.domain.recurrence import Recurrence
from app.domain.retry import Retry
from app.domain.run import Outcome, State, Trigger
from app.domain.span import Span
from app.scheduler.slots import CallSlots
from app.service.auditor import Auditor
from app.service.backfills import BackfillService
from app.service.calendars import CalendarService
from app.service.callbacks import CallbackService
from app.service.failing import FailingJobs
from app.service.forecast import ForecastService
from app.service.history import HistoryService
from app.service.jobs import JobService
from app.service.pauses import TimedPauses
from app.service.rules import COMPUTED_UNDER
from app.service.runs import RunService
from app.service.stats import StatsService
from app.service.switch import SwitchService
from app.target.address import Targets
from app.target.reach import Reach
from tests.sealing import SEALER

NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)
ME, OTHER = UUID(int=0xA), UUID(int=0xB)
MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)
JUST = timedelta(microseconds=1)


ONCE = Policies(retry=Retry(max_attempts=1))
"""Of jobs whose failures are to be failures at once."""


class Heard:
    """What the services told the scheduler of their process."""

    def __init__(self) -> None:
        self.changed: list[int] = []
        self.queued: list[Queued] = []
        self.many = 0
        self.cancels = 0
        self.too_many = 0
        self.ended: list[tuple[State, Trigger]] = []

    def jobs_changed(self, job_ids: Iterable[int]) -> None:
        self.changed += job_ids

    def runs_queued(self, runs: Iterable[Queued]) -> None:
        self.queued += runs

    def many_changed(self) -> None:
        self.many += 1

    def runs_ended(self, ended: Iterable[tuple[State, Trigger]]) -> None:
        self.ended += ended

    def cancel_asked(self) -> None:
        self.cancels += 1

    def too_many_failures(self) -> None:
        self.too_many += 1


class Ledger:
    """One process's view of a database: its engine, stores and services."""

    def __init__(self, url: str, clock: Clock | None, *, pool: int = 10) -> None:
        self.url = url
        self.database = connect(url, pool=pool, time=None if clock is None else BoundTime(clock))
        self.rows = JobRowSource(self.database)
        self.claims = ClaimTransaction(self.database)
        self.starts = StartTransaction(self.database)
        self.records = RecordTransaction(self.database)
        self.cancels = CancellationSource(self.database)
        self.replicas = ReplicaRepository(self.database)
        self.heard = Heard()
        self.jobs = JobService(self.database, self.heard, Reach(Targets.ANY), sealer=SEALER)
        self.runs = RunService(self.database, self.heard)
        self.backfills = BackfillService(self.database, self.heard)
        self.forecast = ForecastService(self.database)
        self.history = HistoryService(self.database)
        self.auditor = Auditor(self.database)
        self.stats = StatsService(self.database)
        self.callbacks = CallbackService(self.database, self.heard)
        self.calendars = CalendarService(self.database, self.heard)
        self.switch = SwitchService(self.database, self.heard)
        self.pauses = TimedPauses(self.database)
        self.failing = FailingJobs(self.database)

    async def create(self, name: str = "job", schedule: str = "* * * * *", **more: Any) -> PersistedJob:
        values = {"endpoint": "http://one.example/hook"} | more
        return await self.jobs.create(JobDefinition(name=name, schedule=schedule, **values))

    async def populate(self, count: int, schedule: str = "* * * * *", host: str = "one.example:80") -> None:
        """So many jobs at once, by hand: `job-0` waits for the first occurrence after the database's time."""
        at = await self.rows.time()
        next_run = Recurrence(schedule).next_after(at)
        values = [
            {"name": f"job-{number}", "uid": uuid4(), "schedule": schedule, "endpoint": f"http://{host}/", "host": host}
            | {"anchor": at, "next_run": next_run, "labels": {}, "headers": {}, "computed_under": COMPUTED_UNDER}
            for number in range(count)
        ]
        async with self.database.begin() as connection:
            await connection.execute(insert(cron_jobs), values)

    async def candidates(self, now: datetime) -> list[Candidate]:
        """Every job that waits for an occurrence, by id."""
        rows = await self.rows.enabled_page(0, 100_000)
        return [
            Candidate(row, plan(row.recurrence, row.next_run, now, row.policies.misfire, row.exclusions))
            for row in rows
        ]

    async def patch(self, job: str, /, **changes: Any) -> PersistedJob:
        return await self.jobs.edit(job, lambda job: replace(job.definition(), **changes))

    async def candidate(self, job: PersistedJob, now: datetime) -> Candidate:
        """What a replica that has just read the job's row would try at `now`."""
        [row] = await self.rows.enabled_among([job.id])
        return Candidate(row, plan(row.recurrence, row.next_run, now, row.policies.misfire, row.exclusions))

    async def claim(
        self, now: datetime, *jobs: PersistedJob, replica: UUID = ME, slots: CallSlots | None = None
    ) -> Claims:
        candidates = [await self.candidate(job, now) for job in jobs]
        return await self.claims.claim(replica, candidates, slots or roomy())

    async def running(self, now: datetime, job: PersistedJob, replica: UUID = ME) -> Started:
        """The run of the job's one due occurrence, claimed and started."""
        [started] = (await self.claim(now, job, replica=replica)).started
        return started

    async def record(self, *finished: Finished, replica: UUID = ME) -> set[UUID]:
        """The runs that were held."""
        return set((await self.records.record(replica, finished)).states)

    async def table(self, table: Table, **where: Any) -> list[Any]:
        """All rows of a table that match, in the order of their first time."""
        order = {"job_runs": "ledger_at", "job_versions": "version", "cron_jobs": "id", "events": "id"}
        if table.name == "events":  # On MariaDB they are there once somebody has looked.
            await EventLog(self.database).move(Horizon())
        query = select(table).order_by(table.c[order[table.name]])
        for name, value in where.items():
            query = query.where(table.c[name] == value)
        async with self.database.read() as connection:
            return list(await connection.execute(query))

    async def runs_of(self, job: PersistedJob) -> list[Any]:
        return await self.table(job_runs, job_id=job.uid)

    async def run_of(self, job: PersistedJob) -> Any:
        """The job's only run."""
        [run] = await self.runs_of(job)
        return run

    async def spans_of(self, job: PersistedJob | UUID) -> list[Span]:
        """Oldest first."""
        async with self.database.read() as connection:
            uid = job if isinstance(job, UUID) else job.uid
            return (await SpanRepository(connection).page(uid, None, 1000))[::-1]

    async def versions_of(self, job: PersistedJob) -> list[Any]:
        return await self.table(job_versions, job_id=job.uid)

    async def row_of(self, job: PersistedJob) -> Any:
        """The job's row of `cron_jobs`, or None once it is deleted."""
        found = await self.table(cron_jobs, id=job.id)
        return found[0] if found else None

    async def overwrite(self, job: PersistedJob, **values: Any) -> None:
        """Write columns of the job's row by hand."""
        async with self.database.begin() as connection:
            await connection.execute(update(cron_jobs).where(cron_jobs.c.id == job.id).values(values))

    async def execute(self, statement: str, **values: Any) -> None:
        async with self.database.begin() as connection:
            await connection.execute(text(statement), values)

    async def close(self) -> None:
        await self.database.close()


@asynccontextmanager
async def opened(url: str, clock: Clock | None, *, pool: int = 10) -> AsyncIterator[Ledger]:
    ledger = Ledger(url, clock, pool=pool)
    try:
        yield ledger
    finally:
        await ledger.close()


def roomy() -> CallSlots:
    return CallSlots(100_000, 100_000, lambda: None)


def room_for(calls: int) -> CallSlots:
    return CallSlots(calls, calls, lambda: None)


def used(slots: CallSlots) -> int:
    return slots._in_use


def queued(run: Any, host: str = "one.example:80") -> Queued:
    """A row of `job_runs` as a dispatcher knows it."""
    return Queued(run.id, run.ledger_at, host)


def ended(
    started: Started,
    *,
    error: str | None = None,
    began: datetime | None = None,
    took: timedelta = SECOND,
    excerpt: str | None = None,
) -> Finished:
    """A call that was answered: a success unless there is an error."""
    began = began or started.started_at
    outcome = Outcome(error=error, status_code=500 if error else 200, response_excerpt=excerpt)
    return Finished(started, outcome, began, began + took)


def cut_off(started: Started) -> Finished:
    return Finished(started, None, started.started_at, started.started_at + SECOND, "cut off")


def minutes(start: datetime, count: int) -> list[datetime]:
    return [start + MINUTE * each for each in range(count)]


def scheduled(runs: Iterable[Any]) -> list[datetime]:
    return [run.scheduled_for for run in runs]


def states(runs: Iterable[Any]) -> list[str]:
    return [run.state for run in runs]


async def every_instant_is_accounted_for(ledger: Ledger, job: PersistedJob, instants: Sequence[datetime]) -> None:
    """`instants` are all at which the job was due: exactly one run or one span covers each."""
    runs = [run.scheduled_for for run in await ledger.runs_of(job) if run.trigger in ("schedule", "catch_up")]
    spans = await ledger.spans_of(job)
    covering = {at: runs.count(at) + sum(_covers(span, at) for span in spans) for at in instants}
    assert covering == dict.fromkeys(instants, 1)
    assert set(runs) <= set(instants)
    closed = [span for span in spans if span.until is not None]
    assert [span.count for span in closed] == [sum(_covers(span, at) for at in instants) for span in closed]


def _covers(span: Span, at: datetime) -> bool:
    return span.after < at and (span.until is None or at <= span.until)
