"""Calendars, and jobs that leave out what they name."""

from __future__ import annotations

from datetime import date
from typing import Any

from app.domain.calendar import CalendarDefinition
from app.domain.exclude import Days, Entry, InCalendar, Interval
from app.domain.policies import Policies

TODAY = Days(date(2027, 3, 1), date(2027, 3, 1), "Founder's day")
TOMORROW = Days(date(2027, 3, 2), date(2027, 3, 2))
HOLIDAYS = InCalendar("holidays")
TODAYS_REASON = "excluded: calendar holidays (Founder's day)"


def calendar(*entries: Entry, name: str = "holidays", **more: Any) -> CalendarDefinition:
    return CalendarDefinition(name=name, entries=entries, **more)


def leaving_out(*exclude: Days | Interval | InCalendar, **more: Any) -> dict[str, Any]:
    return {"policies": Policies(exclude=exclude, **more)}


def told(runs: list[Any]) -> list[tuple[str, str | None]]:
    return [(run.state, run.reason) for run in runs]
