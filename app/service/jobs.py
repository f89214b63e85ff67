"""Use cases of a job: each validates, then does one transaction, commits, and tells the scheduler."""

from __future__ import annotations

from asyncio import to_thread
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from uuid_utils.compat import uuid7

from app.db.engine import Database
from app.db.jobs import JobFilter
from app.db.transaction import Transaction, reading, transaction
from app.domain.claim import Queued
from app.domain.errors import InvalidInput, JobNotFound, NameTaken, VersionMismatch
from app.domain.job import JobDefinition, PersistedJob
from app.domain.recurrence import RESOLUTION, Recurrence
from app.service.change import anchor_for, change, close_spans, idle_reason
from app.service.hooks import SchedulerHooks
from app.service.rules import COMPUTED_UNDER
from app.service.settle import settle
from app.service.validation import checked, require_future
from app.target.address import Targets
from app.target.endpoint import host_key

Edit = Callable[[PersistedJob], JobDefinition]
"""From the job as it is, locked, to what it is to be."""


class JobService:
    """Raises the errors of `domain.errors`; `if_version` is the version that the caller saw, or None for any."""

    def __init__(self, database: Database, hooks: SchedulerHooks, targets: Targets) -> None:
        self._database = database
        self._hooks = hooks
        self._targets = targets

    async def get(self, name: str) -> PersistedJob:
        async with reading(self._database) as tx:
            return found(await tx.jobs.get(name), name)

    async def page(self, filters: JobFilter, after: str | None, limit: int) -> list[PersistedJob]:
        async with reading(self._database) as tx:
            return await tx.jobs.page(filters, after, limit)

    async def create(self, definition: JobDefinition, *, zone_given: bool = True) -> PersistedJob:
        definition = checked(definition, self._targets, zone_given=zone_given)
        async with transaction(self._database) as tx:
            job = await self._create(tx, definition)
        self._hooks.jobs_changed([job.id])
        return job

    async def replace(
        self, definition: JobDefinition, *, if_version: int | None = None, zone_given: bool = True
    ) -> tuple[PersistedJob, bool]:
        """Create the job or make it this; the flag says whether it is new."""
        definition = checked(definition, self._targets, zone_given=zone_given)
        try:
            job, new, queued = await self._replace(definition, if_version)
        except NameTaken:  # somebody made it between our look and our insert
            job, new, queued = await self._replace(definition, if_version)
        self._tell(job.id, queued)
        return job, new

    async def edit(
        self, name: str, to: Edit, *, if_version: int | None = None, zone_given: bool = True
    ) -> PersistedJob:
        """`to` may raise InvalidInput; nothing is written then."""
        async with transaction(self._database) as tx:
            job = found(await tx.jobs.lock(name), name)
            _check_version(job, if_version)
            wanted = to(job)
            if wanted.name != name:
                raise InvalidInput(
                    "A job keeps its name.", field="name", remedy="Create another job, and delete this one."
                )
            if wanted != replace(job.definition(), enabled=False):
                wanted = checked(wanted, self._targets, zone_given=zone_given)
            job, queued = await self._edit(tx, job, wanted)
        self._tell(job.id, queued)
        return job

    async def set_enabled(self, name: str, *, enabled: bool, if_version: int | None = None) -> PersistedJob:
        """Pause and resume. What was due while it was paused stands in a span, and does not run afterwards."""
        return await self.edit(name, lambda job: replace(job.definition(), enabled=enabled), if_version=if_version)

    async def delete(self, name: str, *, if_version: int | None = None) -> None:
        """Its runs stay in the ledger; those that are pending end as canceled."""
        async with transaction(self._database) as tx:
            job = found(await tx.jobs.lock(name), name)
            _check_version(job, if_version)
            at = await tx.time()
            await settle(tx, [job], at)
            await tx.runs.cancel_pending(job.uid, "deleted", at)
            await close_spans(tx, [job], at)
            await tx.versions.end([job.uid], at)
            await tx.jobs.remove(job.id)
            await tx.notify(job.id)
        self._hooks.jobs_changed([job.id])

    async def next_times(self, name: str, count: int) -> tuple[PersistedJob, list[datetime]]:
        """What the schedule says from the next run on, also of a job that is paused."""
        async with reading(self._database) as tx:
            job, at = found(await tx.jobs.get(name), name), await tx.time()
        if job.problem is not None:
            return job, []
        after = at if job.next_run is None else min(at, job.next_run - RESOLUTION)
        return job, await to_thread(_times, Recurrence.of(job, job.anchor), after, count)

    async def _replace(
        self, definition: JobDefinition, if_version: int | None
    ) -> tuple[PersistedJob, bool, list[Queued]]:
        async with transaction(self._database) as tx:
            job = await tx.jobs.lock(definition.name)
            _check_version(job, if_version)
            if job is None:
                return await self._create(tx, definition), True, []
            changed, queued = await self._edit(tx, job, definition)
        return changed, False, queued

    async def _create(self, tx: Transaction, definition: JobDefinition) -> PersistedJob:
        stopped = await tx.switch.paused()
        at = await tx.time()
        anchor = anchor_for(definition, at)
        recurrence = Recurrence.of(definition, anchor)
        require_future(recurrence, at)
        reason = idle_reason(definition, stopped=stopped)
        job = await tx.jobs.add(
            definition,
            uid=uuid7(),
            anchor=anchor,
            host=host_key(definition.endpoint or ""),
            next_run=None if reason else recurrence.next_after(at),
            computed_under=COMPUTED_UNDER,
            created_at=at,
            updated_at=at,
        )
        await tx.versions.begin([job], at)
        if reason:
            await tx.spans.open([(job.uid, job.version)], at, reason)
        await tx.notify(job.id)
        return job

    async def _edit(
        self, tx: Transaction, job: PersistedJob, definition: JobDefinition
    ) -> tuple[PersistedJob, list[Queued]]:
        if definition == job.definition():
            return job, []
        return await change(tx, job, definition)

    def _tell(self, job_id: int, queued: Sequence[Queued]) -> None:
        self._hooks.jobs_changed([job_id])
        self._hooks.runs_queued(queued)


def found(job: PersistedJob | None, name: str) -> PersistedJob:
    """Raises JobNotFound."""
    if job is None:
        raise JobNotFound(f"There is no job named {name}.", remedy="GET /v1/jobs lists those that there are.")
    return job


def _check_version(job: PersistedJob | None, if_version: int | None) -> None:
    if if_version is not None and (job is None or job.version != if_version):
        now = "there is no such job" if job is None else f"it is at version {job.version} now"
        raise VersionMismatch(
            f"If-Match names version {if_version}, and {now}.",
            remedy="Read the job again, and repeat the change on it.",
        )


def _times(recurrence: Recurrence, after: datetime, count: int) -> list[datetime]:
    times: list[datetime] = []
    while len(times) < count and (following := recurrence.next_after(times[-1] if times else after)) is not None:
        times.append(following)
    return times
