"""How often a job was due, by its versions; and what became of the due instants that have no run."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from app.domain.explanation import Finding
from app.domain.history import History
from app.domain.recurrence import RESOLUTION, Recurrence
from app.domain.span import PAUSED, STOPPED, UNSCHEDULABLE, Span

HOUR = timedelta(hours=1)

_FINDINGS = {PAUSED: Finding.PAUSED, STOPPED: Finding.STOPPED, UNSCHEDULABLE: Finding.UNSCHEDULABLE}
"""Spans of any other reason are what was missed."""


def hour_of(at: datetime) -> datetime:
    """When the hour of an instant in UTC begins."""
    return at.replace(minute=0, second=0, microsecond=0)


def count_due(recurrence: Recurrence, since: datetime, until: datetime | None, start: datetime, end: datetime) -> int:
    """The instants in [start, end) of a version that is in force in (since, until]."""
    last = end - RESOLUTION
    return recurrence.count_between(max(since, start - RESOLUTION), last if until is None else min(until, last))


@dataclass(frozen=True, slots=True)
class Gap:
    """In this hour a job has so many runs fewer than it was due."""

    job_id: UUID
    hour: datetime
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Absence:
    """What may explain gaps before `until`: by job its spans, oldest first, and the instant that it waits for.

    Runs before `pruned` may be gone.
    """

    until: datetime
    spans: Mapping[UUID, Sequence[Span]] = field(default_factory=dict)
    next_runs: Mapping[UUID, datetime] = field(default_factory=dict)
    pruned: Mapping[UUID, datetime] = field(default_factory=dict)

    def explain(self, gaps: Iterable[Gap], histories: Mapping[UUID, History]) -> dict[UUID, Counter[Finding]]:
        """How many instants of each job have which fate; `histories` are of the jobs that `unclear` names."""
        found: defaultdict[UUID, Counter[Finding]] = defaultdict(Counter)
        for gap in gaps:
            left = gap.count
            for finding, start, end in self._stretches(gap):
                whole = (start, end) == self._hour(gap)
                count = left if whole else min(left, _count(histories[gap.job_id], start, end))
                found[gap.job_id][finding] += count
                left -= count
            found[gap.job_id][Finding.UNACCOUNTED] += left
        return found

    def unclear(self, gaps: Iterable[Gap]) -> set[UUID]:
        """Jobs of which something begins or ends within an hour, so that their schedules have to be asked."""
        return {gap.job_id for gap in gaps if any(each[1:] != self._hour(gap) for each in self._stretches(gap))}

    def _hour(self, gap: Gap) -> tuple[datetime, datetime]:
        return gap.hour, min(gap.hour + HOUR, self.until)

    def _stretches(self, gap: Gap) -> Iterator[tuple[Finding, datetime, datetime]]:
        """What of the hour lies in spans, is not claimed yet, or may be gone; the end of each is excluded."""
        start, end = self._hour(gap)
        spans = self.spans.get(gap.job_id, ())
        for span in spans[max(bisect_left(spans, start, key=lambda each: each.after) - 1, 0) :]:
            if span.after + RESOLUTION >= end:
                break
            until = end if span.until is None else min(span.until + RESOLUTION, end)
            if start < until:
                yield _FINDINGS.get(span.reason, Finding.MISSED), max(span.after + RESOLUTION, start), until
        next_run = self.next_runs.get(gap.job_id)
        if next_run is not None and next_run < end:
            yield Finding.UNCLAIMED, max(next_run, start), end
        pruned = self.pruned.get(gap.job_id)
        if pruned is not None and pruned > start:
            yield Finding.FORGOTTEN, start, min(pruned, end)


def _count(history: History, start: datetime, end: datetime) -> int:
    return sum(
        count_due(version.recurrence.accounted(), version.since, version.until, start, end)
        for version in history.versions
        if version.recurrence is not None
    )
