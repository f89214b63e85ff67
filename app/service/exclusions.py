"""What jobs leave out, with the calendars as they are in the transaction."""

from __future__ import annotations

from collections.abc import Sequence

from app.db.transaction import Transaction
from app.domain.exclude import Exclude, calendar_names
from app.domain.exclusion import Exclusions, resolve, unknown_calendar
from app.domain.job import PersistedJob
from app.domain.namespace import qualified


async def exclusions_of(tx: Transaction, jobs: Sequence[PersistedJob]) -> dict[int, Exclusions]:
    """By the jobs' integer ids. As long as a job is locked, the calendars that it names don't change."""
    keys = {qualified(job.namespace, name) for job in jobs for name in calendar_names(job.policies.exclude)}
    calendars = await tx.calendars.listed(keys) if keys else {}
    return {job.id: resolve(job.policies.exclude, job.timezone, calendars, job.namespace) for job in jobs}


async def hold_calendars(tx: Transaction, exclude: Exclude) -> None:
    """They stay as they are until the transaction ends, and then their users are seen. Raises UnknownCalendar."""
    names = calendar_names(exclude)
    held = await tx.calendars.hold(names) if names else set()
    for name in names:
        if name not in held:
            raise unknown_calendar(name)
