"""Before a job changes, what is due under its old version gets its rows: no instant falls between two versions."""

from __future__ import annotations

from asyncio import to_thread
from collections.abc import Sequence
from datetime import datetime

from app.db.insert_runs import planned_values
from app.db.transaction import Transaction
from app.domain.claim import Queued
from app.domain.errors import InvalidInput
from app.domain.identity import occurrence_id
from app.domain.job import PersistedJob
from app.domain.misfire import Plan, plan
from app.domain.recurrence import RESOLUTION, Recurrence
from app.domain.run import State
from app.domain.span import UNSCHEDULABLE
from app.target.endpoint import host_key


async def settle(tx: Transaction, jobs: Sequence[PersistedJob], at: datetime) -> list[Queued]:
    """The runs that are pending now; the jobs must be locked. Their `next_run` is left to the caller."""
    due = [job for job in jobs if job.next_run is not None and job.next_run <= at]
    plans, unreadable = await to_thread(_plans, due, at) if due else ([], [])
    values = [planned_values(job.uid, job.name, job.version, run) for job, made in plans for run in made.runs]
    if values:
        await tx.runs.add(values)
    await tx.spans.add((job.uid, job.version, made.span) for job, made in plans if made.span is not None)
    await _leave_uncounted(tx, unreadable, at)
    return [
        Queued(occurrence_id(job.uid, run.occurrence), run.occurrence, host_key(job.endpoint or ""))
        for job, made in plans
        for run in made.runs
        if run.state is State.PENDING
    ]


async def _leave_uncounted(tx: Transaction, jobs: Sequence[PersistedJob], at: datetime) -> None:
    """Of a schedule that can't be read nobody knows what was due."""
    for job in jobs:
        await tx.spans.open([(job.uid, job.version)], (job.next_run or at) - RESOLUTION, UNSCHEDULABLE)
    if jobs:
        await tx.spans.close(dict.fromkeys((job.uid for job in jobs), None), at)


def _plans(due: Sequence[PersistedJob], at: datetime) -> tuple[list[tuple[PersistedJob, Plan]], list[PersistedJob]]:
    """What is to become of each job's occurrences, and the jobs whose schedule can't be read."""
    plans: list[tuple[PersistedJob, Plan]] = []
    unreadable: list[PersistedJob] = []
    for job in due:
        try:
            plans.append((job, plan(Recurrence.of(job, job.anchor), job.next_run or at, at)))
        except InvalidInput:
            unreadable.append(job)
    return plans, unreadable
