"""Use cases of a calendar. A change of it is a change of every job that names it, in the same transaction."""

from __future__ import annotations

from asyncio import to_thread
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial

from app.db.engine import Database
from app.db.transaction import Transaction, reading, transaction
from app.domain.calendar import CalendarDefinition, CalendarSummary, PersistedCalendar
from app.domain.claim import Queued
from app.domain.course import going_on
from app.domain.errors import CalendarInUse, CalendarNotFound, InvalidInput, NameTaken, VersionMismatch
from app.domain.exclude import Entry
from app.domain.exclusion import Source
from app.domain.job import PersistedJob
from app.domain.recurrence import RESOLUTION
from app.domain.schedule import load_zone
from app.service.hooks import SchedulerHooks
from app.service.ical import read_calendar
from app.service.pauses import awake
from app.service.quotas import check_name, hold_home
from app.service.settle import settle

BATCH = 500
_TOLD = 5

Edit = Callable[[PersistedCalendar], CalendarDefinition]
"""From the calendar as it is, locked, to what it is to be."""


class _Again(Exception):
    """A job that was not locked has come to name the calendar."""


class _Rezoned(Exception):
    """The calendar has another zone than the one in which a file was read for it."""


class CalendarService:
    """Raises the errors of `domain.errors`; `if_version` is the version that the caller saw, or None for any."""

    def __init__(self, database: Database, hooks: SchedulerHooks) -> None:
        self._database = database
        self._hooks = hooks

    async def get(self, name: str) -> PersistedCalendar:
        async with reading(self._database) as tx:
            return found(await tx.calendars.get(name), name)

    async def page(self, after: str | None, limit: int) -> list[CalendarSummary]:
        async with reading(self._database) as tx:
            return await tx.calendars.page(after, limit)

    async def listed(self, names: Collection[str]) -> Mapping[str, Source]:
        """What each of them excludes; only those that there are."""
        async with reading(self._database) as tx:
            keys = {name: tx.tenancy.key(name) for name in names}
            listed = await tx.calendars.listed(keys.values())
        return {name: listed[key] for name, key in keys.items() if key in listed}

    async def create(self, definition: CalendarDefinition) -> PersistedCalendar:
        load_zone(definition.timezone)
        async with transaction(self._database) as tx:
            check_name(tx, definition.name)
            await tx.audit_log.note("calendar.create", definition.name, after=definition)
            made = await tx.calendars.add(definition, await tx.time())
            await hold_home(tx)
            return made

    async def replace(
        self, definition: CalendarDefinition, *, if_version: int | None = None
    ) -> tuple[PersistedCalendar, bool]:
        """Create the calendar or make it this; the flag says whether it is new."""
        load_zone(definition.timezone)
        while True:
            try:
                return await self.edit(definition.name, lambda _: definition, if_version=if_version), False
            except CalendarNotFound:
                _check_version(None, if_version)
            try:
                return await self.create(definition), True
            except NameTaken:  # somebody made it between our look and our insert
                continue

    async def edit(self, name: str, to: Edit, *, if_version: int | None = None) -> PersistedCalendar:
        """What is due of the jobs that name it is settled first, by the calendar as it was."""
        while True:
            try:
                async with transaction(self._database) as tx:
                    calendar, queued = await _edit(tx, name, to, if_version)
            except _Again:
                continue
            self._hooks.many_changed()
            self._hooks.runs_queued(queued)
            return calendar

    async def read(self, name: str, file: bytes, *, if_version: int | None = None) -> PersistedCalendar:
        """Make the events of an iCalendar file its entries. Raises InvalidCalendar."""
        while True:
            async with reading(self._database) as tx:
                seen, at = found(await tx.calendars.get(name), name), await tx.time()
            entries = await to_thread(read_calendar, file, seen.timezone, at)
            try:
                return await self.edit(name, partial(_refilled, seen.timezone, entries), if_version=if_version)
            except _Rezoned:
                continue

    async def delete(self, name: str, *, if_version: int | None = None) -> None:
        """Raises CalendarInUse where jobs name it."""
        async with transaction(self._database) as tx:
            calendar = found(await tx.calendars.lock(name), name)
            _check_version(calendar, if_version)
            users = list((await tx.jobs.using(name)).values())
            if users:
                raise _in_use(name, users)
            await tx.calendars.remove(calendar.id)
            await tx.audit_log.note("calendar.delete", name, before=calendar.definition())


def found(calendar: PersistedCalendar | None, name: str) -> PersistedCalendar:
    """Raises CalendarNotFound."""
    if calendar is None:
        raise CalendarNotFound(
            f"There is no calendar named {name}.", remedy="GET /v1/calendars lists those that there are."
        )
    return calendar


def _refilled(timezone: str, entries: tuple[Entry, ...], calendar: PersistedCalendar) -> CalendarDefinition:
    if calendar.timezone != timezone:
        raise _Rezoned
    return replace(calendar.definition(), entries=entries)


async def _edit(tx: Transaction, name: str, to: Edit, if_version: int | None) -> tuple[PersistedCalendar, list[Queued]]:
    """The jobs are locked before the calendar, as everywhere; who names it anew waits for the calendar's lock."""
    jobs = await _users(tx, name)
    calendar = found(await tx.calendars.lock(name), name)
    _check_version(calendar, if_version)
    wanted = to(calendar)
    if wanted == calendar.definition():
        return calendar, []
    if (await tx.jobs.using(name)).keys() - {job.id for job in jobs}:
        raise _Again
    await tx.audit_log.note("calendar.change", name, before=calendar.definition(), after=wanted)
    return await _change(tx, calendar, wanted, jobs)


async def _users(tx: Transaction, name: str) -> list[PersistedJob]:
    """All of them, locked; a batch at a time, lest making so many objects hold up calls that are due."""
    jobs: list[PersistedJob] = []
    while page := await tx.jobs.lock_using(name, jobs[-1].id if jobs else 0, BATCH):
        jobs += page
    return jobs


async def _change(
    tx: Transaction, calendar: PersistedCalendar, wanted: CalendarDefinition, jobs: Sequence[PersistedJob]
) -> tuple[PersistedCalendar, list[Queued]]:
    """The calendar as it is now, and what is pending of the jobs that name it, all of which are locked."""
    jobs = [job if job.paused_until is None else await awake(tx, job) for job in jobs]
    at = max([await tx.boundary(batch) for batch in _batches(jobs) or [[]]])
    jobs, queued = await settle(tx, jobs, at)
    values = {each: getattr(wanted, each) for each in CalendarDefinition.__dataclass_fields__}
    changed = replace(calendar, **values, version=calendar.version + 1, updated_at=at)
    await tx.calendars.write(changed)
    for batch in _batches(jobs):
        await _renew(tx, batch, at)
    await tx.notify(None)
    return changed, queued


def _batches(jobs: Sequence[PersistedJob]) -> list[Sequence[PersistedJob]]:
    return [jobs[start : start + BATCH] for start in range(0, len(jobs), BATCH)]


async def _renew(tx: Transaction, jobs: Sequence[PersistedJob], at: datetime) -> None:
    """Make what was planned for them stale. A stretch in which a job stands still goes on."""
    renewed = [_next_version(job, at) for job in jobs]
    await tx.jobs.renew(renewed)
    await tx.versions.end([job.uid for job in renewed], at)
    await tx.versions.begin(renewed, at)


def _next_version(job: PersistedJob, at: datetime) -> PersistedJob:
    """A job whose schedule can't be read is due at once, for the scheduler to meet it and set it aside."""
    job = replace(job, version=job.version + 1, updated_at=at)
    if job.next_run is None or job.next_run > at:
        return job
    try:
        return going_on(job, at)
    except InvalidInput:
        return replace(job, next_run=at + RESOLUTION)


def _check_version(calendar: PersistedCalendar | None, if_version: int | None) -> None:
    if if_version is not None and (calendar is None or calendar.version != if_version):
        now = "there is no such calendar" if calendar is None else f"it is at version {calendar.version} now"
        raise VersionMismatch(
            f"If-Match names version {if_version}, and {now}.",
            remedy="Read the calendar again, and repeat the change on it.",
        )


def _in_use(name: str, users: Sequence[str]) -> CalendarInUse:
    told = ", ".join(users[:_TOLD]) + (f" and {len(users) - _TOLD} more" if len(users) > _TOLD else "")
    who = f"The job {told} names" if len(users) == 1 else f"The jobs {told} name"
    return CalendarInUse(f"{who} the calendar {name}.", remedy="Take it out of their exclude first.")
