"""A calendar: days and intervals under one name, for any number of jobs to leave out."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime

from app.domain.exclude import Entry


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarDefinition:
    """What the owner of a calendar decides; its days are read in its zone, whichever the jobs have."""

    name: str
    timezone: str = "UTC"
    description: str = ""
    entries: tuple[Entry, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PersistedCalendar(CalendarDefinition):
    """A row of `calendars`. `version` is raised by each change, and with it that of each job that names it."""

    id: int
    version: int
    created_at: datetime
    updated_at: datetime

    def definition(self) -> CalendarDefinition:
        """What its owner decided, without what was added."""
        return CalendarDefinition(**{each.name: getattr(self, each.name) for each in fields(CalendarDefinition)})


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarSummary:
    """A calendar without its entries, but for how many these are."""

    name: str
    timezone: str
    description: str
    size: int
    version: int
    created_at: datetime
    updated_at: datetime
