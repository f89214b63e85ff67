"""When a job is due: its schedule within `starts_at` and `ends_at`, both of which count."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache

from app.domain.job import DayRule, DstGap, DstOverlap, JobDefinition
from app.domain.schedule import Schedule, parse

RESOLUTION = timedelta(microseconds=1)
_HASHED = re.compile(r"(^|[\s,])H", re.IGNORECASE)
_ANCHORED = re.compile(r"(^|\s)@every\s", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Recurrence:
    """Jobs that are due at the same instants have equal recurrences, and share what was computed for one of them."""

    schedule: str
    timezone: str = "UTC"
    day_rule: DayRule = DayRule.OR
    hash_name: str = ""
    anchor: datetime | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    dst_gap: DstGap = DstGap.AFTER
    dst_overlap: DstOverlap = DstOverlap.FIRST

    @classmethod
    def of(cls, job: JobDefinition, anchor: datetime) -> Recurrence:
        """The name and the anchor are left out where they don't matter, so that more jobs are equal."""
        return cls(
            job.schedule,
            job.timezone,
            job.day_rule,
            job.name if _HASHED.search(job.schedule) else "",
            anchor if _ANCHORED.search(job.schedule) else None,
            job.starts_at,
            job.ends_at,
            job.dst_gap,
            job.dst_overlap,
        )

    def accounted(self) -> Recurrence:
        """When the ledger has something to tell: also where the clock jumps over a time and the job skips it."""
        return self if self.dst_gap is DstGap.AFTER else replace(self, dst_gap=DstGap.AFTER)

    def skips(self, t: datetime) -> bool:
        """Whether t is accounted for and not due."""
        if self.dst_gap is DstGap.AFTER:
            return False
        before = t - RESOLUTION
        return self.accounted().next_after(before) == t != self.next_after(before)

    def parsed(self) -> Schedule:
        """Raises InvalidSchedule or UnknownTimezone."""
        return _parse(self)

    def next_after(self, t: datetime) -> datetime | None:
        """The first occurrence strictly after t, or None when there is none."""
        return _next_after(self, t)

    def walk(self, after: datetime, until: datetime) -> Iterator[datetime]:
        """The occurrences in (after, until], one by one. Nothing of it is kept for others, since it may be long."""
        after = after if self.starts_at is None else max(after, self.starts_at - RESOLUTION)
        return self.parsed().between(after, until if self.ends_at is None else min(until, self.ends_at))

    def previous_before(self, t: datetime) -> datetime | None:
        """The last occurrence strictly before t, or None when there is none."""
        if self.ends_at is not None:
            t = min(t, self.ends_at + RESOLUTION)
        found = self.parsed().previous_before(t)
        return None if found is None or self._too_early(found) else found

    def count_between(self, after: datetime, until: datetime) -> int:
        """How many occurrences lie in (after, until]."""
        if self.starts_at is not None:
            after = max(after, self.starts_at - RESOLUTION)
        if self.ends_at is not None:
            until = min(until, self.ends_at)
        return self.parsed().count_between(after, until) if after < until else 0

    def _too_early(self, t: datetime) -> bool:
        return self.starts_at is not None and t < self.starts_at


@lru_cache(maxsize=20_000)
def _parse(recurrence: Recurrence) -> Schedule:
    return parse(
        recurrence.schedule,
        recurrence.timezone,
        name=recurrence.hash_name,
        day_rule=recurrence.day_rule,
        dst_gap=recurrence.dst_gap,
        dst_overlap=recurrence.dst_overlap,
        anchor=recurrence.anchor,
    )


@lru_cache(maxsize=50_000)
def _next_after(recurrence: Recurrence, t: datetime) -> datetime | None:
    if recurrence.starts_at is not None:
        t = max(t, recurrence.starts_at - RESOLUTION)
    found = recurrence.parsed().next_after(t)
    too_late = found is not None and recurrence.ends_at is not None and found > recurrence.ends_at
    return None if too_late else found
