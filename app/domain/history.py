"""A job's versions, and the instants at which it was due under each: computed from its schedules, never from rows."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any

from app.domain.errors import InvalidInput
from app.domain.job import DstGap, DstOverlap, JobDefinition
from app.domain.recurrence import RESOLUTION, Recurrence


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredVersion:
    """A row of `job_versions`, in force in (effective_from, effective_until]; None is until now."""

    version: int
    effective_from: datetime
    effective_until: datetime | None
    definition: Mapping[str, Any]


@dataclass(frozen=True)
class Version:
    """What a job was in (since, until]. `problem` says why its definition can't be read, if so."""

    number: int
    since: datetime
    until: datetime | None
    job: JobDefinition
    anchor: datetime
    problem: str | None = None

    def holds(self, at: datetime) -> bool:
        return self.since < at and (self.until is None or at <= self.until)

    @cached_property
    def recurrence(self) -> Recurrence | None:
        """With what the ledger has something to tell of; None where the schedule can't be read."""
        recurrence = Recurrence.of(self.job, self.anchor)
        try:
            recurrence.parsed()
        except InvalidInput:
            return None
        return None if self.problem else recurrence

    @property
    def timezone(self) -> str:
        return "UTC" if self.recurrence is None else self.recurrence.parsed().timezone

    def is_due(self, at: datetime) -> bool:
        """Whether its schedule says so, in force or not."""
        return self.next_after(at - RESOLUTION) == at

    def skips(self, at: datetime) -> bool:
        """Whether the job leaves this instant out, since the clock jumped over its local time."""
        return self.recurrence is not None and self.recurrence.skips(at)

    def in_gap(self, at: datetime) -> bool:
        """Whether the instant is due for a local time that the clock jumped over."""
        return self.recurrence is not None and replace(self.recurrence, dst_gap=DstGap.SKIP).skips(at)

    def in_fold(self, at: datetime) -> bool:
        """Whether the instant is not due for a local time that comes twice, and that the job keeps once."""
        if self.recurrence is None or self.is_due(at):
            return False
        return replace(self.recurrence, dst_overlap=DstOverlap.BOTH).next_after(at - RESOLUTION) == at

    def next_after(self, t: datetime) -> datetime | None:
        return None if self.recurrence is None else self.recurrence.accounted().next_after(t)

    def previous_before(self, t: datetime) -> datetime | None:
        return None if self.recurrence is None else self.recurrence.accounted().previous_before(t)

    def due(self, start: datetime, end: datetime) -> Iterator[datetime]:
        """While it is in force, in [start, end)."""
        at = self.next_after(max(start - RESOLUTION, self.since))
        while at is not None and at < end and self.holds(at):
            yield at
            at = self.next_after(at)


@dataclass(frozen=True)
class History:
    """The versions of one job that concern some instants, oldest first."""

    versions: Sequence[Version]

    def in_force(self, at: datetime) -> Version | None:
        return next((each for each in reversed(self.versions) if each.holds(at)), None)

    def due(self, start: datetime, end: datetime) -> Iterator[datetime]:
        """Ascending, in [start, end)."""
        for version in self.versions:
            yield from version.due(start, end)

    def previous_before(self, t: datetime) -> datetime | None:
        """The last instant before t at which the job was due."""
        for version in reversed(self.versions):
            edge = t if version.until is None else min(t, version.until + RESOLUTION)
            found = version.previous_before(edge) if edge > version.since else None
            if found is not None and version.holds(found):
                return found
        return None

    def next_after(self, t: datetime) -> datetime | None:
        """The first instant after t at which the job was due, or will be if it stays as it is."""
        for version in self.versions:
            found = version.next_after(max(t, version.since))
            if found is not None and version.holds(found):
                return found
        return None

    def changed_from(self, at: datetime, now: Version) -> tuple[Version, Version] | None:
        """The last version before with another schedule, if the instant was due by it, and the one that ended it."""
        earlier = self.versions[: self._index(now)]
        old = next((each for each in reversed(earlier) if each.recurrence != now.recurrence), None)
        if old is None or not old.is_due(at):
            return None
        return old, self.versions[self._index(old) + 1]

    def changed_to(self, at: datetime, now: Version) -> Version | None:
        """The first version after that has another schedule, if the instant would be due by it."""
        later = self.versions[self._index(now) + 1 :]
        new = next((each for each in later if each.recurrence != now.recurrence), None)
        return new if new is not None and new.is_due(at) else None

    def _index(self, version: Version) -> int:
        return bisect_left(self.versions, version.number, key=lambda each: each.number)
