"""The cron kind: a pattern of local times, mapped to instants by Debian cron's rule for changes of the clock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from app.domain.job import DstGap, DstOverlap
from app.domain.schedule.instants import DAY, END, at_or_before, before, instant
from app.domain.schedule.local import Stretch, stretch_at
from app.domain.schedule.words import cron_in_words

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from app.domain.schedule.expression import Expression
    from app.domain.schedule.pattern import Pattern


@dataclass(frozen=True, slots=True, kw_only=True)
class CronSchedule:
    """Each stretch of one offset takes over a window of the local time line; gap and overlap decide where it opens.

    A schedule whose hour or minute begins with `*` fires at every instant whose local time matches: it skips gaps and
    takes both passes of an overlap.
    """

    text: str
    timezone: str
    expression: Expression
    pattern: Pattern
    gap: DstGap
    overlap: DstOverlap
    never_by_itself: ClassVar[bool] = False

    def next_after(self, t: datetime) -> datetime | None:
        at = max(at_or_before(t) + 1, 0)
        while at < END:
            stretch = stretch_at(self.timezone, at)
            local = self.pattern.next(self._local_from(stretch, at))
            if local is not None and local < self._closes(stretch):
                return instant(max(local - stretch.offset, stretch.start))
            local = self.pattern.next(stretch.end + min(stretch.offset, stretch.after))
            if local is None:
                return None
            at = max(stretch.end, local - DAY)
        return None

    def previous_before(self, t: datetime) -> datetime | None:
        at = min(before(t), END - 1)
        while at >= 0:
            stretch = stretch_at(self.timezone, at)
            local = self.pattern.previous(min(at + stretch.offset, self._closes(stretch) - 1))
            if local is not None and local >= self._opens(stretch):
                return instant(max(local - stretch.offset, stretch.start))
            local = self.pattern.previous(stretch.start + stretch.before - 1)
            if local is None:
                return None
            at = min(stretch.start - 1, local + DAY)
        return None

    def between(self, after: datetime, until: datetime) -> Iterator[datetime]:
        """What a gap carries to its end is there as one."""
        at, last = max(at_or_before(after) + 1, 0), min(at_or_before(until), END - 1)
        while at <= last:
            stretch = stretch_at(self.timezone, at)
            low, begin = self._local_from(stretch, at), stretch.start + stretch.offset
            high = min(last + 1 + stretch.offset, self._closes(stretch))
            if low < begin:
                if self.pattern.count(low, begin + 1):
                    yield instant(stretch.start)
                low = begin + 1
            for local in self.pattern.within(low, high):
                yield instant(local - stretch.offset)
            at = stretch.end

    def count_between(self, after: datetime, until: datetime) -> int:
        at, last = max(at_or_before(after) + 1, 0), min(at_or_before(until), END - 1)
        total = 0
        while at <= last:
            stretch = stretch_at(self.timezone, at)
            low = self._local_from(stretch, at)
            high = min(last + 1 + stretch.offset, self._closes(stretch))
            begin = stretch.start + stretch.offset
            if low < begin:
                total += min(self.pattern.count(low, begin + 1), 1)
                low = begin + 1
            total += self.pattern.count(low, high) if low < high else 0
            at = stretch.end
        return total

    def describe(self) -> str:
        return cron_in_words(self.expression, self.timezone)

    def _local_from(self, stretch: Stretch, at: int) -> int:
        """The local time from which matches are due at `at` or later."""
        opens = self._opens(stretch)
        return opens if at == stretch.start else max(at + stretch.offset, opens)

    def _opens(self, stretch: Stretch) -> int:
        """Where the window opens. In a gap that is carried it opens early, and what it holds is due at the start."""
        forward = stretch.before < stretch.offset
        carried = self.gap == DstGap.AFTER if forward else self.overlap == DstOverlap.FIRST
        return stretch.start + (stretch.before if carried else stretch.offset)

    def _closes(self, stretch: Stretch) -> int:
        """Where the window closes (exclusive): early where the second pass of an overlap is the one that counts."""
        back = stretch.after < stretch.offset
        yields = back and self.overlap == DstOverlap.LAST
        return stretch.end + (stretch.after if yields else stretch.offset)
