"""The local times that a cron expression names, knowing nothing of zones. All are seconds since 1970, local."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.domain.schedule.instants import DAY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from app.domain.schedule.days import Days


@dataclass(frozen=True, slots=True)
class Times:
    """The times of a day at which something is due; each tuple is sorted."""

    hours: tuple[int, ...]
    minutes: tuple[int, ...]
    seconds: tuple[int, ...]

    @property
    def total(self) -> int:
        return len(self.hours) * len(self.minutes) * len(self.seconds)

    def rank(self, second: int) -> int:
        """How many of these times lie before that second of the day."""
        wanted = second // 3600, second // 60 % 60, second % 60
        rank, exact = 0, True
        for values, value in zip((self.hours, self.minutes, self.seconds), wanted, strict=True):
            index = bisect_left(values, value) if exact else 0
            exact = exact and values[index : index + 1] == (value,)
            rank = rank * len(values) + index
        return rank

    def nth(self, index: int) -> int:
        """The second of the day of the time that has so many before it."""
        index, second = divmod(index, len(self.seconds))
        hour, minute = divmod(index, len(self.minutes))
        return self.hours[hour] * 3600 + self.minutes[minute] * 60 + self.seconds[second]


@dataclass(frozen=True, slots=True)
class Pattern:
    """Every matching day has the same times."""

    days: Days
    times: Times

    def next(self, local: int) -> int | None:
        """The first match that is not before the given time."""
        today, second = divmod(local, DAY)
        rank = self.times.rank(second)
        day = self.days.next(today if rank < self.times.total else today + 1)
        return None if day is None else day * DAY + self.times.nth(rank if day == today else 0)

    def previous(self, local: int) -> int | None:
        """The last match that is not after the given time."""
        today, second = divmod(local, DAY)
        rank = self.times.rank(second + 1)
        day = self.days.previous(today if rank else today - 1)
        return None if day is None else day * DAY + self.times.nth((rank if day == today else self.times.total) - 1)

    def within(self, low: int, high: int) -> Iterator[int]:
        """The matches in [low, high), in order."""
        local = self.next(low)
        while local is not None and local < high:
            day, start = local // DAY, self.times.rank(local % DAY)
            for index in range(start, self.times.total):
                local = day * DAY + self.times.nth(index)
                if local >= high:
                    return
                yield local
            local = self.next((day + 1) * DAY)

    def count(self, low: int, high: int) -> int:
        """How many matches lie in [low, high)."""
        return self._count_days(low, high) + self._rank(high) - self._rank(low)

    def _count_days(self, low: int, high: int) -> int:
        return self.times.total * self.days.count(low // DAY, high // DAY)

    def _rank(self, local: int) -> int:
        """How many matches of its own day lie before that time."""
        today, second = divmod(local, DAY)
        return self.times.rank(second) if self.days.next(today) == today else 0
