"""What has had its time goes, a little at a time, so that the schedule doesn't notice."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from uuid import UUID

from app.db.aged_partitions import drop_aged
from app.db.engine import Database
from app.db.transaction import Transaction, reading, transaction
from app.domain.job import PersistedJob
from app.domain.retention import KEPT, aged_before

BATCH = 500
"""Rows that go in one transaction, and jobs that are looked through at a time."""

BUDGET = 5.0
"""Seconds of one round. A longer step would hold up the end of the process, and count as a loop that stands still."""

REST = 4.0
"""After a batch nothing is done for so many times as long as it took: the calls of the schedule come first."""

_FIRST = UUID(int=0)

Batch = Callable[[Transaction], Awaitable[object]]
"""What it answers is true where there may be more."""


class RetentionService:
    """Ended runs are `kept` for so long."""

    def __init__(self, database: Database, kept: timedelta = KEPT) -> None:
        self._database = database
        self._kept = kept
        self._thinned = 0  # the id of the last job whose surplus has gone, in a round that goes on

    async def prune(self, budget: float = BUDGET) -> bool:
        """One round of so many seconds; whether there is more to do."""
        end = time.monotonic() + budget

        def enough() -> bool:
            return time.monotonic() >= end

        before = await self._aged_before()
        if await drop_aged(self._database, before, enough=enough):
            return True
        for batch in self._batches(before):
            if await self._all(batch, enough):
                return True
        return await self._thin_out(enough)

    async def _aged_before(self) -> datetime:
        async with reading(self._database) as tx:
            now = await tx.time()
            return aged_before(now, self._kept, await tx.jobs.earliest_wait(now - self._kept))

    def _batches(self, before: datetime) -> list[Batch]:
        """Runs first: what explains them stays as long as they do. On PostgreSQL they go with their partitions."""
        batches: list[Batch] = [
            lambda tx: tx.retention.remove_spans(before, BATCH),
            lambda tx: tx.retention.remove_backfills(before, BATCH),
            lambda tx: tx.retention.remove_versions(before, BATCH),
        ]
        if self._database.dialect == "postgresql":
            return batches
        return [_from_the_first(lambda tx, after: tx.retention.remove_aged(after, before, BATCH)), *batches]

    async def _all(self, batch: Batch, enough: Callable[[], bool]) -> bool:
        """Batch by batch, until nothing is left or it is enough; whether there may be more."""
        while True:
            began = time.monotonic()
            async with transaction(self._database) as tx:
                more = await batch(tx)
            if not more:
                return False
            await asyncio.sleep(REST * (time.monotonic() - began))
            if enough():
                return True

    async def _thin_out(self, enough: Callable[[], bool]) -> bool:
        """What is beyond each job's `keep_runs`, going on where the round before ended."""
        while True:
            async with reading(self._database) as tx:
                jobs = await tx.jobs.keeping_few(self._thinned, BATCH)
            for job in jobs:
                if await self._thin_out_job(job, enough):
                    return True
                self._thinned = job.id
                if enough():
                    return True
            if not jobs:
                self._thinned = 0
                return False

    async def _thin_out_job(self, job: PersistedJob, enough: Callable[[], bool]) -> bool:
        keep = job.policies.keep_runs
        if keep is None:  # the row can't be read
            return False
        async with reading(self._database) as tx:
            newest = await tx.retention.surplus(job.uid, keep)
        if newest is None:
            return False
        surplus = _from_the_first(
            lambda tx, after: tx.retention.remove_surplus(job.uid, after, newest, job.next_run, BATCH)
        )
        return await self._all(surplus, enough)


def _from_the_first(remove: Callable[[Transaction, UUID], Awaitable[UUID | None]]) -> Batch:
    """Each batch begins after the last id of the one before."""
    after = _FIRST

    async def batch(tx: Transaction) -> bool:
        nonlocal after
        last = await remove(tx, after)
        after = last or after
        return last is not None

    return batch
