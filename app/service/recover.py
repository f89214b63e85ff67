"""After a restore from a backup: what may have been called since then is not called again."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from app.db import migrate
from app.db.engine import Database, connect
from app.db.insert_runs import planned_values
from app.db.transaction import Transaction, transaction
from app.domain.errors import Conflict, InvalidInput
from app.domain.exclusion import Exclusions
from app.domain.job import PersistedJob
from app.domain.restored import Passed, passed
from app.domain.run import State
from app.service.exclusions import exclusions_of
from app.service.pauses import awake

BATCH = 200


@dataclass(frozen=True, slots=True)
class Recovered:
    """What was done: occurrences that are missed, with a row each or in spans, and runs that were under way."""

    jobs: int = 0
    rows: int = 0
    in_spans: int = 0
    never_called: int = 0
    lost: int = 0
    unreadable: int = 0

    def __add__(self, other: Recovered) -> Recovered:
        mine, its = self._values(), other._values()
        return Recovered(*(one + two for one, two in zip(mine, its, strict=True)))

    def _values(self) -> tuple[int, ...]:
        return self.jobs, self.rows, self.in_spans, self.never_called, self.lost, self.unreadable


def recover_database(url: str, until: datetime, lease: timedelta) -> Recovered:
    """Bring its schema up to date first, as a start would."""
    migrate.upgrade(url)
    return asyncio.run(_recover(url, until, lease))


async def recover(database: Database, until: datetime, lease: timedelta) -> Recovered:
    """End what stands at `until` or before and has not ended, and let the jobs go on after it. Twice does no harm.

    Raises InvalidInput for an instant to come, Conflict while a replica is alive.
    """
    total, after = Recovered(), 0
    while (batch := await _jobs(database, until, lease, after)) is not None:
        done, after = batch
        total += done
    while found := await _runs(database, until, lease):
        states = Counter(found)
        total += Recovered(never_called=states[State.MISSED], lost=states[State.LOST])
    return total


async def _recover(url: str, until: datetime, lease: timedelta) -> Recovered:
    database = connect(url)
    try:
        return await recover(database, until, lease)
    finally:
        await database.close()


async def _jobs(database: Database, until: datetime, lease: timedelta, after: int) -> tuple[Recovered, int] | None:
    """Of one page of jobs, and the last id of the page; None where there are no more."""
    async with transaction(database) as tx:
        await _check(tx, until, lease)
        jobs = await tx.jobs.lock_due(until, after, BATCH)
        if not jobs:
            return None
        last = jobs[-1].id
        jobs = [await awake(tx, job) for job in jobs]
        due = [job for job in jobs if job.next_run is not None and job.next_run <= until]
        found = await asyncio.to_thread(_passed, due, await exclusions_of(tx, due), until)
        await _write(tx, found, await tx.time())
    rows, in_spans = sum(each.rows for _, each in found), sum(each.in_spans for _, each in found)
    return Recovered(jobs=len(found), rows=rows, in_spans=in_spans, unreadable=len(due) - len(found)), last


async def _write(tx: Transaction, found: Sequence[tuple[PersistedJob, Passed]], at: datetime) -> None:
    plans = [(job, planned) for job, each in found for planned in each.plans]
    if rows := [planned_values(job, run, at) for job, planned in plans for run in planned.runs]:
        await tx.runs.add(rows)
    await tx.spans.add((job.uid, job.version, span) for job, planned in plans for span in planned.spans)
    await tx.jobs.reschedule([_going_on(job, each) for job, each in found])


def _going_on(job: PersistedJob, each: Passed) -> PersistedJob:
    return replace(job, next_run=each.next, completed=each.next is None, runs_made=job.runs_made + each.made)


async def _runs(database: Database, until: datetime, lease: timedelta) -> list[State]:
    async with transaction(database) as tx:
        await _check(tx, until, lease)
        return await tx.recovery.end_unfinished(until, await tx.time(), BATCH)


def _passed(
    jobs: Sequence[PersistedJob], exclusions: Mapping[int, Exclusions], until: datetime
) -> list[tuple[PersistedJob, Passed]]:
    """Jobs that this program can't read are left as they are."""
    found: list[tuple[PersistedJob, Passed]] = []
    for job in jobs:
        if job.problem is None:
            try:
                found.append((job, passed(job, until, exclusions[job.id])))
            except InvalidInput:
                continue
    return found


async def _check(tx: Transaction, until: datetime, lease: timedelta) -> None:
    now = await tx.time()
    if until > now:
        raise InvalidInput(
            f"not-before is to come: it is {now:%Y-%m-%dT%H:%M:%SZ} by the database's clock.",
            field="not_before",
            remedy="Use the last moment at which the service that was lost may have called.",
        )
    if alive := await tx.recovery.alive(now - lease):
        told = ", ".join(f"{replica} on {host}, last heard of at {at:%H:%M:%SZ}" for replica, host, at in alive)
        raise Conflict(
            f"{'A replica is' if len(alive) == 1 else f'{len(alive)} replicas are'} alive: {told}.",
            remedy=f"Stop the service. A replica that was killed counts as alive for {lease.total_seconds():g} s.",
        )
