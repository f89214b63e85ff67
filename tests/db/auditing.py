"""What tests of the auditor and of stats do with a ledger."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import delete

from app.db.tables import job_runs
from app.domain.clock import FakeClock
from app.domain.explanation import Finding
from app.domain.job import PersistedJob
from app.domain.stats import Figures, Stats
from app.service.stats import StatsAsked
from tests.db.building import MINUTE, Ledger, ended

HOUR = timedelta(hours=1)
ALL = StatsAsked()


async def begin(ledger: Ledger) -> None:
    """As a replica does when it starts."""
    await ledger.auditor.audit()


async def count(ledger: Ledger) -> None:
    await ledger.auditor.audit_until(await ledger.rows.time())


async def stats(ledger: Ledger, asked: StatsAsked = ALL, limit: int = 50) -> Stats:
    return (await ledger.stats.stats(asked, None, limit))[0]


async def total(ledger: Ledger) -> Figures:
    await count(ledger)
    return (await stats(ledger)).total


def absent(figures: Figures) -> dict[Finding, int]:
    return {finding: number for finding, number in figures.absent.items() if number}


def accounted(figures: Figures) -> bool:
    return figures.due == sum(figures.outcomes.states.values()) + sum(figures.absent.values())


async def pass_minutes(ledger: Ledger, clock: FakeClock, minutes: int, *jobs: PersistedJob) -> None:
    """Each minute what is due is claimed, called, and succeeds."""
    for _ in range(minutes):
        clock.step(MINUTE)
        await work(ledger, *jobs)


async def work(ledger: Ledger, *jobs: PersistedJob, error: str | None = None) -> None:
    now = await ledger.rows.time()
    rows = await ledger.rows.enabled_among([job.id for job in jobs])
    due = {row.id for row in rows if row.next_run <= now}
    for started in (await ledger.claim(now, *(job for job in jobs if job.id in due))).started if due else ():
        await ledger.record(ended(started, error=error))


async def remove(ledger: Ledger, job: PersistedJob, at: datetime) -> None:
    async with ledger.database.begin() as connection:
        gone = delete(job_runs).where(job_runs.c.job_id == job.uid, job_runs.c.scheduled_for == at)
        assert (await connection.execute(gone)).rowcount == 1


async def stats_after_counting(ledger: Ledger) -> Stats:
    await count(ledger)
    return await stats(ledger)
