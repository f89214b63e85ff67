"""Which local days a cron expression names. A day is a number: days since 1970-01-01."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from calendar import monthrange
from dataclasses import dataclass
from datetime import date
from functools import cache, lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from app.domain.schedule.special_days import SpecialDay

_EPOCH_DAY = date(1970, 1, 1).toordinal()


@dataclass(frozen=True, slots=True)
class DayFields:
    """What the fields of day of month and of day of week (Sunday is 0) name, and whether either or both must match."""

    days: frozenset[int]
    special_days: tuple[SpecialDay, ...]
    weekdays: frozenset[int]
    special_weekdays: tuple[SpecialDay, ...]
    either: bool


@dataclass(frozen=True, slots=True)
class Days:
    """The local days on which something is due; months and years are sorted."""

    fields: DayFields
    months: tuple[int, ...]
    years: tuple[int, ...]

    def next(self, day: int) -> int | None:
        """The first of these days that is not before the given one."""
        start = date.fromordinal(day + _EPOCH_DAY)
        for year, month in self._months_from(start.year, start.month):
            days, origin = self._of_month(year, month)
            index = bisect_left(days, day - origin)
            if index < len(days):
                return origin + days[index]
        return None

    def previous(self, day: int) -> int | None:
        """The last of these days that is not after the given one."""
        start = date.fromordinal(day + _EPOCH_DAY)
        for year, month in self._months_back_from(start.year, start.month):
            days, origin = self._of_month(year, month)
            index = bisect_right(days, day - origin)
            if index:
                return origin + days[index - 1]
        return None

    def count(self, low: int, high: int) -> int:
        """How many of these days lie in [low, high)."""
        start = date.fromordinal(low + _EPOCH_DAY)
        total = 0
        for year, month in self._months_from(start.year, start.month):
            days, origin = self._of_month(year, month)
            if origin >= high:
                break
            total += bisect_left(days, high - origin) - bisect_left(days, low - origin)
        return total

    def _months_from(self, year: int, month: int) -> Iterator[tuple[int, int]]:
        for y in self.years[bisect_left(self.years, year) :]:
            for m in self.months:
                if y > year or m >= month:
                    yield y, m

    def _months_back_from(self, year: int, month: int) -> Iterator[tuple[int, int]]:
        for y in reversed(self.years[: bisect_right(self.years, year)]):
            for m in reversed(self.months):
                if y < year or m <= month:
                    yield y, m

    def _of_month(self, year: int, month: int) -> tuple[tuple[int, ...], int]:
        """The days of a month, and the day that they count from: the eve of the month."""
        first, length, eve = _month(year, month)
        return _matching(self.fields, first, length), eve


@cache
def _month(year: int, month: int) -> tuple[int, int, int]:
    monday_based, length = monthrange(year, month)
    return (monday_based + 1) % 7, length, date(year, month, 1).toordinal() - 1 - _EPOCH_DAY


@lru_cache(maxsize=16_384)
def _matching(fields: DayFields, first: int, length: int) -> tuple[int, ...]:
    """A month's days follow from its first weekday and its length, so that there are 28 kinds of months."""
    by_date = fields.days | {special.day(first, length) for special in fields.special_days}
    by_weekday = {special.day(first, length) for special in fields.special_weekdays}
    by_weekday |= {day for day in range(1, length + 1) if (first + day - 1) % 7 in fields.weekdays}
    due = by_date | by_weekday if fields.either else by_date & by_weekday
    return tuple(day for day in range(1, length + 1) if day in due)
