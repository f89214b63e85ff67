"""A schedule in words and in times, before any job has it; needs no database."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from app.domain.exclude import Exclude
from app.domain.exclusion import Source, resolve
from app.domain.job import DayRule, DstGap, DstOverlap
from app.domain.recurrence import RESOLUTION
from app.domain.schedule import Schedule, load_zone, parse, require_occurrence, warnings_for


@dataclass(frozen=True, slots=True)
class LocalTime:
    """An instant in UTC, and by a zone's clock in ISO 8601 with its offset; `excluded` is what excludes it, if so."""

    at: datetime
    local: str
    excluded: str | None = None


@dataclass(frozen=True, slots=True)
class Preview:
    """What is to be known of a schedule."""

    description: str
    occurrences: list[LocalTime]
    warnings: list[str]


def preview(  # noqa: PLR0913  # each is an option of the schedule
    text: str,
    timezone: str | None = None,
    *,
    after: datetime,
    count: int,
    day_rule: DayRule = DayRule.OR,
    dst_gap: DstGap = DstGap.AFTER,
    dst_overlap: DstOverlap = DstOverlap.FIRST,
    name: str = "",
    starts_at: datetime | None = None,
    exclude: Exclude = (),
    calendars: Mapping[str, Source] = MappingProxyType({}),
) -> Preview:
    """The first occurrences after an instant. Raises the InvalidInput tree, NeverFires where there are none.

    A thousand occurrences take tens of milliseconds: too long for an event loop.
    """
    schedule = parse(
        text,
        timezone,
        name=name,
        day_rule=day_rule,
        dst_gap=dst_gap,
        dst_overlap=dst_overlap,
        anchor=starts_at or after + RESOLUTION,
    )
    begin = after if starts_at is None else max(after, starts_at - RESOLUTION)
    require_occurrence(schedule, begin)
    found = _first(schedule, begin, count)
    exclusions = resolve(exclude, schedule.timezone, calendars)
    times = local_times(found, schedule.timezone, map(exclusions.covers, found))
    return Preview(schedule.describe(), times, warnings_for(schedule, begin, found))


def local_times(instants: Iterable[datetime], timezone: str, excluded: Iterable[str | None]) -> list[LocalTime]:
    """Raises UnknownTimezone."""
    zone = load_zone(timezone)
    return [LocalTime(at, at.astimezone(zone).isoformat(), each) for at, each in zip(instants, excluded, strict=True)]


def _first(schedule: Schedule, after: datetime, count: int) -> list[datetime]:
    found: list[datetime] = []
    at = schedule.next_after(after)
    while at is not None and len(found) < count:
        found.append(at)
        at = schedule.next_after(at)
    return found
