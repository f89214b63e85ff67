"""The stop switch: every job stands still, and what was due meanwhile is a span of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from app.db.engine import Database
from app.db.tenancy import EVERYWHERE
from app.db.transaction import Transaction, reading, transaction
from app.domain.errors import InvalidInput
from app.domain.job import PersistedJob
from app.domain.recurrence import RESOLUTION
from app.domain.span import STOPPED
from app.service.change import close_spans, set_going
from app.service.hooks import SchedulerHooks
from app.service.settle import settle

BATCH = 500


class SwitchService:
    """Turning the switch is one short transaction; the jobs follow in batches, and any replica may finish the rest.

    Those of all namespaces do.
    """

    def __init__(self, database: Database, hooks: SchedulerHooks) -> None:
        self._database = database
        self._hooks = hooks

    async def state(self) -> tuple[bool, datetime]:
        """Whether the scheduler is paused, and since when it is as it is."""
        async with reading(self._database, EVERYWHERE) as tx:
            return await tx.switch.peek()

    async def pause(self) -> None:
        await self._turn(paused=True)
        await self.finish()

    async def resume(self) -> None:
        """No job makes up for what was due meanwhile."""
        await self._turn(paused=False)
        await self.finish()

    async def finish(self) -> None:
        """Bring every job into line with the switch; nothing happens where all are."""
        paused, _ = await self.state()
        while await (self._stop_batch() if paused else self._start_batch()):
            self._hooks.many_changed()

    async def _turn(self, *, paused: bool) -> None:
        async with transaction(self._database, EVERYWHERE) as tx:
            if await tx.switch.turn(paused=paused, at=await tx.time()):
                await tx.audit_log.note("scheduler.pause" if paused else "scheduler.resume", "scheduler")

    async def _stop_batch(self) -> bool:
        async with transaction(self._database, EVERYWHERE) as tx:
            jobs = await tx.jobs.lock_scheduled(BATCH) if await tx.switch.paused() else []
            at = await tx.boundary(jobs)
            jobs, queued = await settle(tx, jobs, at)
            stopped = [as_stopped(job, at) for job in jobs]
            await tx.jobs.reschedule([job for job, _ in stopped])
            await tx.spans.open((job for job, reason in stopped if reason), at, STOPPED)
            await tx.notify(None)
        self._hooks.runs_queued(queued)
        return bool(jobs)

    async def _start_batch(self) -> bool:
        async with transaction(self._database, EVERYWHERE) as tx:
            found = [] if await tx.switch.paused() else await tx.jobs.lock_among(await tx.spans.stopped(STOPPED, BATCH))
            jobs = await _still_stopped(tx, found)
            at = await tx.boundary(jobs)
            await close_spans(tx, jobs, at)
            await tx.jobs.reschedule([as_started(job, at) for job in jobs])
            await tx.notify(None)
        return bool(found)


async def _still_stopped(tx: Transaction, jobs: Sequence[PersistedJob]) -> list[PersistedJob]:
    """Before they were locked, some may have been started or paused by somebody else."""
    spans = await tx.spans.opened([job.uid for job in jobs])
    return [job for job in jobs if job.uid in spans and spans[job.uid].reason == STOPPED]


def as_stopped(job: PersistedJob, at: datetime) -> tuple[PersistedJob, str | None]:
    """The job, and why it stands still: not where what was settled was its last."""
    try:
        return set_going(job, at, stopped=True)
    except InvalidInput:
        return replace(job, next_run=None), STOPPED


def as_started(job: PersistedJob, at: datetime) -> PersistedJob:
    """A job whose schedule can't be read is due at once, for the scheduler to meet it and set it aside."""
    try:
        return set_going(job, at, stopped=False)[0]
    except InvalidInput:
        return replace(job, next_run=at + RESOLUTION)
