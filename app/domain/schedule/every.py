"""`@every 1h30m`: a fixed interval that knows no local time."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from app.domain.errors import InvalidSchedule
from app.domain.schedule.instants import END, at_or_before, before, instant

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

_NANOSECONDS = {"h": 3_600_000_000_000, "m": 60_000_000_000, "s": 1_000_000_000, "ms": 1_000_000, "us": 1000, "ns": 1}
_PART = re.compile(r"([0-9]*)(?:\.([0-9]*))?(h|ms|m|s|us|ns)")
_LONGEST = 2**63 // 10**9
"""Seconds of the longest Go duration."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EverySchedule:
    """Due at `anchor`, `interval` before and after it, and so on; both in whole seconds."""

    text: str
    timezone: str
    interval: int
    anchor: int
    exact: bool
    never_by_itself: ClassVar[bool] = False

    def next_after(self, t: datetime) -> datetime | None:
        found = self._last_at(max(at_or_before(t), -1)) + self.interval
        return instant(found) if found < END else None

    def previous_before(self, t: datetime) -> datetime | None:
        found = self._last_at(min(before(t), END - 1))
        return instant(found) if found >= 0 else None

    def between(self, after: datetime, until: datetime) -> Iterator[datetime]:
        first = self._last_at(max(at_or_before(after), -1)) + self.interval
        return map(instant, range(first, min(at_or_before(until) + 1, END), self.interval))

    def count_between(self, after: datetime, until: datetime) -> int:
        low, high = max(at_or_before(after), -1), min(at_or_before(until), END - 1)
        return max(0, (self._last_at(high) - self._last_at(low)) // self.interval)

    def describe(self) -> str:
        units = (("day", 86_400), ("hour", 3600), ("minute", 60), ("second", 1))
        parts, rest = [], self.interval
        for unit, seconds in units:
            count, rest = divmod(rest, seconds)
            if count:
                parts.append(f"{count} {unit}{'s' if count > 1 else ''}")
        return "Every " + " ".join(parts)

    def _last_at(self, at: int) -> int:
        """The last multiple of the interval, counted from the anchor, that is not after `at`."""
        return at - (at - self.anchor) % self.interval


def read_every(text: str, duration: str, *, timezone: str, anchor: datetime) -> EverySchedule:
    """Raises InvalidSchedule. What a Go duration has beyond whole seconds is dropped."""
    interval, rest = divmod(_nanoseconds(duration), 10**9)
    if not 1 <= interval <= _LONGEST:
        raise InvalidSchedule(
            f"@every: '{duration[:40]}' is out of range.",
            field="schedule",
            remedy="Use 1s or more, such as 90s or 1h30m.",
        )
    return EverySchedule(text=text, timezone=timezone, interval=interval, anchor=at_or_before(anchor), exact=not rest)


def _nanoseconds(duration: str) -> int:
    total, at = 0, 0
    while at < len(duration):
        match = _PART.match(duration, at)
        if match is None or not (match[1] or match[2]):
            break
        unit, decimals = _NANOSECONDS[match[3]], match[2] or ""
        total += int(match[1] or 0) * unit + int(decimals or 0) * unit // 10 ** len(decimals)
        at = match.end()
    if not duration or at < len(duration):
        raise InvalidSchedule(
            f"@every: '{duration[:40]}' can't be read.",
            field="schedule",
            remedy="Use numbers with the units h, m, s, ms, us or ns and no spaces, such as 90s or 1h30m.",
        )
    return total
