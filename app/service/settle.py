"""Before a job changes, what is due under its old version gets its rows: no instant falls between two versions."""

from __future__ import annotations

from asyncio import to_thread
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from app.db.insert_runs import planned_values
from app.db.notices import notices
from app.db.transaction import Transaction
from app.domain.claim import Queued
from app.domain.course import remaining
from app.domain.errors import InvalidInput
from app.domain.exclusion import Exclusions
from app.domain.job import PersistedJob
from app.domain.misfire import Plan, plan
from app.domain.recurrence import RESOLUTION, Recurrence
from app.domain.run import State
from app.domain.span import UNSCHEDULABLE
from app.service.exclusions import exclusions_of
from app.service.quotas import count_runs
from app.target.endpoint import host_key

Planned = list[tuple[PersistedJob, Plan]]


async def settle(
    tx: Transaction, jobs: Sequence[PersistedJob], at: datetime
) -> tuple[list[PersistedJob], list[Queued]]:
    """The jobs with what they have made, and their runs that are pending now.

    The jobs must be locked. Their `next_run` is left to the caller, and so is writing `runs_made`.
    """
    due = [job for job in jobs if job.next_run is not None and job.next_run <= at]
    plans, unreadable = await to_thread(_plans, due, await exclusions_of(tx, due), at) if due else ([], [])
    rows = [(job, planned_values(job, run, at)) for job, made in plans for run in made.runs]
    if rows:
        await count_runs(tx, rows, at)
        await tx.runs.add([*(values for _, values in rows), *_told(plans, at)])
    await tx.spans.add((job.uid, job.version, span) for job, made in plans for span in made.spans)
    await _leave_uncounted(tx, unreadable, at)
    return _counted(jobs, plans), [_queued(job, values, at) for job, values in rows if values["state"] is State.PENDING]


def _told(plans: Planned, at: datetime) -> list[dict[str, Any]]:
    """The notices of what was missed. Nobody is told of them: the next who looks has them."""
    missed = [(job, news) for job, made in plans if (news := made.missed(job.uid))]
    return [values for job, news in missed for values in notices(job, job.policies.notify, news, at)]


def _counted(jobs: Sequence[PersistedJob], plans: Planned) -> list[PersistedJob]:
    counts = Counter[int]()
    for job, made in plans:
        counts[job.id] += made.made
    return [replace(job, runs_made=job.runs_made + counts[job.id]) for job in jobs]


def _queued(job: PersistedJob, values: Mapping[str, Any], at: datetime) -> Queued:
    due = values["due_at"] if values["due_at"] > at else None
    return Queued(values["id"], values["ledger_at"], host_key(job.endpoint or ""), due)


async def _leave_uncounted(tx: Transaction, jobs: Sequence[PersistedJob], at: datetime) -> None:
    """Of a schedule that can't be read nobody knows what was due."""
    for job in jobs:
        await tx.spans.open([job], (job.next_run or at) - RESOLUTION, UNSCHEDULABLE)
    if jobs:
        opened = await tx.spans.opened([job.uid for job in jobs])
        await tx.spans.close(dict.fromkeys((span.id for span in opened.values()), None), at)


def _plans(
    due: Sequence[PersistedJob], exclusions: Mapping[int, Exclusions], at: datetime
) -> tuple[Planned, list[PersistedJob]]:
    """What is to become of each job's occurrences, and the jobs whose schedule can't be read."""
    plans: Planned = []
    unreadable: list[PersistedJob] = []
    for job in due:
        if job.problem is not None:
            unreadable.append(job)
            continue
        try:
            plans += [(job, made) for made in _plans_of(job, exclusions[job.id], at)]
        except InvalidInput:
            unreadable.append(job)
    return plans, unreadable


def _plans_of(job: PersistedJob, exclusions: Exclusions, at: datetime) -> list[Plan]:
    """One after the other, until nothing is due."""
    recurrence, misfire = Recurrence.of(job, job.anchor), job.policies.misfire
    plans: list[Plan] = []
    first, made = job.next_run, job.runs_made
    while first is not None and first <= at:
        planned = plan(recurrence, first, at, misfire, exclusions)
        plans.append(planned.limited(remaining(job.policies, made)))
        first, made = plans[-1].next, made + plans[-1].made
    return plans
