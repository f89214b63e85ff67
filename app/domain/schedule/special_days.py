"""Days that depend on the month: `L`, `L-3`, `LW`, `15W` and `FRI#3`, `FRI#L`.

A month is told by the weekday of its first day (Sunday is 0) and its length.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol

from app.domain.schedule.fields import DAY_OF_MONTH, DAY_OF_WEEK, Field

SATURDAY, SUNDAY = 6, 0


class SpecialDay(Protocol):
    """A day that each month places anew; as a string it is told in words."""

    def day(self, first: int, length: int) -> int:
        """The day of the month; a number outside the month where it has no such day."""
        ...


@dataclass(frozen=True, slots=True)
class LastDay:
    """`L`, or `L-3`: so many days before the last."""

    before: int = 0

    def day(self, first: int, length: int) -> int:  # noqa: ARG002  every special day is asked alike
        return length - self.before

    def __str__(self) -> str:
        if not self.before:
            return "the last day of the month"
        return f"the day {self.before} day{'s' if self.before > 1 else ''} before the last of the month"


@dataclass(frozen=True, slots=True)
class LastWorkday:
    """`LW`: the last Monday to Friday."""

    def day(self, first: int, length: int) -> int:
        return length - {SATURDAY: 1, SUNDAY: 2}.get(_weekday(first, length), 0)

    def __str__(self) -> str:
        return "the last weekday (Monday to Friday) of the month"


@dataclass(frozen=True, slots=True)
class NearestWorkday:
    """`15W`: the Monday to Friday nearest to a day, within its month; a month without that day has none."""

    target: int

    def day(self, first: int, length: int) -> int:
        if self.target > length:
            return self.target
        weekday = _weekday(first, self.target)
        if weekday == SATURDAY:
            return self.target - 1 if self.target > 1 else self.target + 2
        if weekday == SUNDAY:
            return self.target + 1 if self.target < length else self.target - 2
        return self.target

    def __str__(self) -> str:
        return f"the weekday (Monday to Friday) nearest day {self.target} of the month"


@dataclass(frozen=True, slots=True)
class NthWeekday:
    """`FRI#3`: the third Friday."""

    weekday: int
    nth: int

    def day(self, first: int, length: int) -> int:  # noqa: ARG002  likewise
        return 1 + (self.weekday - first) % 7 + 7 * (self.nth - 1)

    def __str__(self) -> str:
        nth = ("first", "second", "third", "fourth", "fifth")[self.nth - 1]
        return f"the {nth} {weekday_name(self.weekday)} of the month"


@dataclass(frozen=True, slots=True)
class LastOfWeekday:
    """`FRI#L`: the last Friday."""

    weekday: int

    def day(self, first: int, length: int) -> int:
        return length - (_weekday(first, length) - self.weekday) % 7

    def __str__(self) -> str:
        return f"the last {weekday_name(self.weekday)} of the month"


def weekday_name(sunday_based: int) -> str:
    return ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")[sunday_based]


def _weekday(first: int, day: int) -> int:
    return (first + day - 1) % 7


def read_special_day(field: Field, term: str) -> SpecialDay | None:
    """What the term means if it is one of these; None if it is an ordinary one. Raises InvalidSchedule."""
    if field is DAY_OF_MONTH:
        return _read_day_of_month(term)
    return _read_day_of_week(term) if field is DAY_OF_WEEK else None


def _read_day_of_month(term: str) -> SpecialDay | None:
    text = term.upper()
    if text == "L":
        return LastDay()
    if text == "LW":
        return LastWorkday()
    if match := re.fullmatch(r"L-([0-9]+)", text):
        return LastDay(_bounded(DAY_OF_MONTH, term, match[1], 30, "L-1 to L-30, or L"))
    if match := re.fullmatch(r"([0-9]+)W", text):
        return NearestWorkday(_bounded(DAY_OF_MONTH, term, match[1], 31, "1W to 31W, or LW"))
    return None


def _read_day_of_week(term: str) -> SpecialDay | None:
    weekday, mark, nth = term.upper().partition("#")
    if not mark:
        return None
    sunday_based = DAY_OF_WEEK.value(weekday, term) % 7
    if nth == "L":
        return LastOfWeekday(sunday_based)
    return NthWeekday(sunday_based, _bounded(DAY_OF_WEEK, term, nth, 5, f"{weekday}#1 to {weekday}#5, or {weekday}#L"))


def _bounded(field: Field, term: str, text: str, most: int, rather: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= most:
        field.refuse(term, "is out of range", f"Use {rather}.")
    return int(text)
