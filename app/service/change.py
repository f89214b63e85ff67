"""A new version of a job: settle what the old one left, then let the new one begin at the same instant."""

from __future__ import annotations

from asyncio import to_thread
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from app.db.transaction import Transaction
from app.domain.claim import Queued
from app.domain.course import going_on, is_exhausted
from app.domain.errors import InvalidInput
from app.domain.job import JobDefinition, PersistedJob
from app.domain.recurrence import Recurrence
from app.domain.span import PAUSED, STOPPED, Span
from app.service.rules import COMPUTED_UNDER
from app.service.settle import settle
from app.service.validation import require_future
from app.target.endpoint import canonical_endpoint, host_key


def anchor_for(definition: JobDefinition, at: datetime) -> datetime:
    """The phase of `@every`: whole seconds, of `starts_at` or else of the moment at which the schedule was set."""
    return (definition.starts_at or at).replace(microsecond=0)


def idle_reason(definition: JobDefinition, *, stopped: bool) -> str | None:
    """Why a job that could be scheduled isn't."""
    if not definition.enabled:
        return PAUSED
    return STOPPED if stopped else None


def set_going(job: PersistedJob, at: datetime, *, stopped: bool) -> tuple[PersistedJob, str | None]:
    """The job as it waits after `at`, or why it stands still; one that has run its course does neither.

    Raises InvalidInput where its schedule can't be read.
    """
    job = going_on(job, at) if job.enabled else replace(job, next_run=None, completed=False)
    reason = None if job.completed else idle_reason(job, stopped=stopped)
    return (replace(job, next_run=None) if reason else job), reason


async def change(tx: Transaction, job: PersistedJob, definition: JobDefinition) -> tuple[PersistedJob, list[Queued]]:
    """The job as it is now, and what is pending of it. It must be locked.

    Raises NeverFires for a new schedule that would never be due.
    """
    stopped = await tx.switch.paused()
    at = await tx.boundary([job])
    [job], queued = await settle(tx, [job], at)
    await close_spans(tx, [job], at)
    changed, reason = set_going(_next_version(job, definition, at), at, stopped=stopped)
    host = host_of(changed)
    await tx.jobs.write([(changed, host)], COMPUTED_UNDER)
    if changed.policies != job.policies:
        await tx.runs.judge_anew(job.uid)
    if reason:
        await tx.spans.open([changed], at, reason)
    await tx.versions.end([job.uid], at)
    await tx.versions.begin([changed], at)
    await tx.notify(job.id)
    return changed, [replace(run, host=host) for run in queued]


async def close_spans(tx: Transaction, jobs: Sequence[PersistedJob], at: datetime) -> None:
    """End the stretches in which jobs stood still, and count what was due in each."""
    spans = await tx.spans.opened([job.uid for job in jobs])
    if spans:
        await tx.spans.close(await to_thread(_counts, jobs, spans, at), at)


def resumed(job: PersistedJob) -> PersistedJob:
    """The failures are forgotten too, or those that paused it would do so again."""
    return replace(job, enabled=True, pause_note=None, paused_until=None, failures_in_a_row=0)


def host_of(job: PersistedJob) -> str:
    """Nothing for an adopted row whose endpoint can't be called."""
    try:
        return host_key(canonical_endpoint(job.endpoint or ""))
    except InvalidInput:
        return ""


def _next_version(job: PersistedJob, definition: JobDefinition, at: datetime) -> PersistedJob:
    """The phase starts anew only where the schedule is set anew, or its start."""
    set_anew = (definition.schedule, definition.starts_at) != (job.schedule, job.starts_at)
    anchor = anchor_for(definition, at) if set_anew else job.anchor
    recurrence = Recurrence.of(definition, anchor)
    paused = definition.is_same(replace(job.definition(), enabled=False))
    if not paused and (job.problem is not None or recurrence != Recurrence.of(job, job.anchor)):
        require_future(recurrence, at)
    ours = {name: getattr(definition, name) for name in JobDefinition.__dataclass_fields__}
    problem = job.problem if paused else None
    changed = replace(job, **ours, anchor=anchor, version=job.version + 1, problem=problem, updated_at=at)
    return resumed(changed) if definition.enabled and not job.enabled else changed


def _counts(jobs: Sequence[PersistedJob], spans: Mapping[UUID, Span], at: datetime) -> dict[int, int | None]:
    return {spans[job.uid].id: _count(job, spans[job.uid], at) for job in jobs if job.uid in spans}


def _count(job: PersistedJob, span: Span, at: datetime) -> int | None:
    """None where nobody can say, since the schedule can't be read."""
    if is_exhausted(job):
        return 0
    try:
        return Recurrence.of(job, job.anchor).accounted().count_between(span.after, at)
    except InvalidInput:
        return None
