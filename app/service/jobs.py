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
from app.domain.course import remaining
from app.domain.errors import InvalidInput, JobNotFound, NameTaken, VersionMismatch
from app.domain.exclusion import Exclusions
from app.domain.job import JobDefinition, PersistedJob
from app.domain.recurrence import RESOLUTION, Recurrence
from app.domain.run import State
from app.service.change import anchor_for, change, close_spans, idle_reason
from app.service.exclusions import exclusions_of, hold_calendars
from app.service.hooks import NoScheduler, SchedulerHooks
from app.service.pauses import awake, pause
from app.service.quotas import admit_change, admit_job, admit_schedule
from app.service.rules import COMPUTED_UNDER
from app.service.sealing import encrypted, hold_secrets, secrets_of, unmasked
from app.service.settle import settle
from app.service.validation import checked, require_admin_unverified, require_future, require_no_callback
from app.target.endpoint import host_key
from app.target.reach import Reach
from app.vault.sealer import WITHOUT_KEYS, Sealer

Edit = Callable[[PersistedJob], JobDefinition]
"""From the job as it is, locked, to what it is to be."""


class JobService:
    """Raises the errors of `domain.errors`; `if_version` is the version that the caller saw, or None for any.

    `sealer` encrypts credentials, `reachable` says whether targets can call this service back, `rehearses` whether
    nothing of what it does stays.
    """

    def __init__(  # noqa: PLR0913  # what is known once for all jobs
        self,
        database: Database,
        hooks: SchedulerHooks,
        reach: Reach,
        *,
        sealer: Sealer = WITHOUT_KEYS,
        reachable: bool = True,
        rehearses: bool = False,
    ) -> None:
        self._database = database
        self._hooks = hooks
        self._reach = reach
        self._sealer = sealer
        self._reachable = reachable
        self.rehearses = rehearses

    def rehearsal(self) -> JobService:
        """One that does all the same, and of which nothing stays."""
        database, hooks = self._database.rehearsal(), NoScheduler()
        return JobService(database, hooks, self._reach, sealer=self._sealer, reachable=self._reachable, rehearses=True)

    async def get(self, name: str) -> PersistedJob:
        async with reading(self._database) as tx:
            return found(await tx.jobs.get(name), name)

    async def page(self, filters: JobFilter, after: str | None, limit: int) -> list[PersistedJob]:
        async with reading(self._database) as tx:
            return await tx.jobs.page(filters, after, limit)

    async def create(self, definition: JobDefinition, *, zone_given: bool = True) -> PersistedJob:
        definition = self._checked(unmasked(definition, None), zone_given=zone_given)
        async with transaction(self._database) as tx:
            job = await self._create(tx, definition)
        self._hooks.jobs_changed([job.id])
        return job

    async def replace(
        self, definition: JobDefinition, *, if_version: int | None = None, zone_given: bool = True
    ) -> tuple[PersistedJob, bool]:
        """Create the job or make it this; the flag says whether it is new."""
        definition = self._checked(definition, zone_given=zone_given)
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
            job = await _found(tx, name, if_version)
            wanted = unmasked(to(job), job)
            if wanted.name != name:
                raise InvalidInput(
                    "A job keeps its name.", field="name", remedy="Create another job, and delete this one."
                )
            if not wanted.is_same(replace(job.definition(), enabled=False)):
                wanted = self._checked(wanted, zone_given=zone_given)
            job, queued = await self._edit(tx, job, wanted)
        self._tell(job.id, queued)
        return job

    async def set_enabled(
        self,
        name: str,
        *,
        enabled: bool,
        if_version: int | None = None,
        note: str | None = None,
        until: datetime | None = None,
    ) -> PersistedJob:
        """Pause and resume. What was due while it was paused stands in a span, and does not run afterwards.

        `note` and `until` are of the pause; of a job that is paused already, they are said anew.
        """
        if enabled:
            return await self.edit(name, lambda job: replace(job.definition(), enabled=True), if_version=if_version)
        async with transaction(self._database) as tx:
            job, queued = await pause(tx, await _found(tx, name, if_version), note, until)
            await tx.audit_log.note("job.pause", name, job.uid, after={"note": note, "until": until})
        self._tell(job.id, queued)
        return job

    async def delete(self, name: str, *, if_version: int | None = None) -> None:
        """Its runs stay in the ledger; those that are pending end as canceled."""
        async with transaction(self._database) as tx:
            job = await _found(tx, name, if_version)
            at = await tx.boundary([job])
            [job], _ = await settle(tx, [job], at)
            await tx.backfills.end_with_job(job.uid, at)
            canceled = await tx.runs.cancel_pending(job.uid, "deleted", at)
            await close_spans(tx, [job], at)
            await tx.versions.end([job.uid], at)
            await tx.secrets.carry(job.id, ())
            await tx.jobs.remove(job.id)
            await tx.audit_log.note("job.delete", name, job.uid, before=job.definition())
            await tx.notify(job.id)
        self._hooks.jobs_changed([job.id])
        self._hooks.runs_ended((State.CANCELED, trigger) for trigger in canceled)

    async def next_times(self, name: str, count: int) -> tuple[PersistedJob, list[datetime], list[str | None]]:
        job = await self.get(name)
        return job, *await self.upcoming(job, count)

    async def upcoming(self, job: PersistedJob, count: int) -> tuple[list[datetime], list[str | None]]:
        """What the schedule says from the next run on, also of a job that is paused, and what excludes each of it."""
        if job.problem is not None:
            return [], []
        async with reading(self._database) as tx:
            at = await tx.time()
            exclusions = (await exclusions_of(tx, [job]))[job.id]
        after = at if job.next_run is None else min(at, job.next_run - RESOLUTION)
        left = remaining(job.policies, job.runs_made)
        recurrence = Recurrence.of(job, job.anchor)
        return await to_thread(_times, recurrence, exclusions, after, count, count if left is None else left)

    def _checked(self, definition: JobDefinition, *, zone_given: bool) -> JobDefinition:
        if not self._reachable:
            require_no_callback(definition)
        return checked(definition, self._reach, zone_given=zone_given)

    async def _replace(
        self, definition: JobDefinition, if_version: int | None
    ) -> tuple[PersistedJob, bool, list[Queued]]:
        async with transaction(self._database) as tx:
            job = await _locked(tx, definition.name)
            _check_version(job, if_version)
            definition = unmasked(definition, job)
            if job is None:
                return await self._create(tx, definition), True, []
            changed, queued = await self._edit(tx, job, definition)
        return changed, False, queued

    async def _create(self, tx: Transaction, definition: JobDefinition) -> PersistedJob:
        require_admin_unverified(definition)
        definition = encrypted(definition, None, self._sealer)
        await hold_calendars(tx, definition.policies.exclude)
        await hold_secrets(tx, definition, None, self._sealer)
        stopped = await tx.switch.paused()
        at = await tx.time()
        anchor = anchor_for(definition, at)
        recurrence = Recurrence.of(definition, anchor)
        require_future(recurrence, at)
        await admit_schedule(tx, definition, recurrence, at)
        reason = idle_reason(definition, stopped=stopped)
        job = await tx.jobs.add(
            definition,
            uid=uuid7(),
            anchor=anchor,
            host=host_key(definition.endpoint or ""),
            next_run=None if reason else recurrence.accounted().next_after(at),
            computed_under=COMPUTED_UNDER,
            created_at=at,
            updated_at=at,
        )
        await admit_job(tx)
        await tx.secrets.carry(job.id, secrets_of(definition))
        await tx.versions.begin([job], at)
        if reason:
            await tx.spans.open([job], at, reason)
        await tx.notify(job.id)
        await tx.audit_log.note("job.create", job.name, job.uid, after=definition)
        return job

    async def _edit(
        self, tx: Transaction, job: PersistedJob, definition: JobDefinition
    ) -> tuple[PersistedJob, list[Queued]]:
        resumes = definition.is_same(replace(job.definition(), enabled=True))
        definition = definition if resumes else encrypted(definition, job, self._sealer)
        if definition.is_same(job.definition()):
            return job, []
        known = job.policies.exclude
        await hold_calendars(tx, tuple(each for each in definition.policies.exclude if each not in known))
        if not resumes:
            require_admin_unverified(definition)
            await admit_change(tx, job, definition)
        await hold_secrets(tx, definition, job, self._sealer)
        await tx.secrets.carry(job.id, secrets_of(definition))
        action = "job.resume" if resumes else "job.change"
        await tx.audit_log.note(action, job.name, job.uid, before=job.definition(), after=definition)
        return await change(tx, job, definition)

    def _tell(self, job_id: int, queued: Sequence[Queued]) -> None:
        self._hooks.jobs_changed([job_id])
        self._hooks.runs_queued(queued)


def found(job: PersistedJob | None, name: str) -> PersistedJob:
    """Raises JobNotFound."""
    if job is None:
        raise JobNotFound(f"There is no job named {name}.", remedy="GET /v1/jobs lists those that there are.")
    return job


async def _found(tx: Transaction, name: str, if_version: int | None) -> PersistedJob:
    job = found(await _locked(tx, name), name)
    _check_version(job, if_version)
    return job


async def _locked(tx: Transaction, name: str) -> PersistedJob | None:
    """As it is by now: a pause that is over has ended."""
    job = await tx.jobs.lock(name)
    return None if job is None else await awake(tx, job)


def _check_version(job: PersistedJob | None, if_version: int | None) -> None:
    if if_version is not None and (job is None or job.version != if_version):
        now = "there is no such job" if job is None else f"it is at version {job.version} now"
        raise VersionMismatch(
            f"If-Match names version {if_version}, and {now}.",
            remedy="Read the job again, and repeat the change on it.",
        )


def _times(
    recurrence: Recurrence, exclusions: Exclusions, after: datetime, count: int, left: int
) -> tuple[list[datetime], list[str | None]]:
    """At most `count`, and no more than `left` that are to run."""
    times: list[datetime] = []
    excluded: list[str | None] = []
    while len(times) < count and excluded.count(None) < left:
        following = recurrence.next_after(times[-1] if times else after)
        if following is None:
            break
        times.append(following)
        excluded.append(exclusions.covers(following))
    return times, excluded
