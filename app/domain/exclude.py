"""The field `exclude` of a job, and the entries of a calendar: days, intervals, and names of calendars."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime


@dataclass(frozen=True, slots=True)
class Days:
    """Whole days by the clock of some zone, `first` and `last` included."""

    first: date
    last: date
    summary: str = ""

    def __str__(self) -> str:
        return f"{self.first}" if self.first == self.last else f"{self.first} to {self.last}"


@dataclass(frozen=True, slots=True)
class Interval:
    """From `start`, which is included, to `end`, which is not. In UTC."""

    start: datetime
    end: datetime
    summary: str = ""

    def __str__(self) -> str:
        return f"{_told(self.start)} to {_told(self.end)}"


@dataclass(frozen=True, slots=True)
class InCalendar:
    """Whatever a calendar names."""

    calendar: str


Entry = Days | Interval
Exclude = tuple[Days | Interval | InCalendar, ...]


def calendar_names(exclude: Exclude) -> list[str]:
    return sorted({each.calendar for each in exclude if isinstance(each, InCalendar)})


def _told(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
