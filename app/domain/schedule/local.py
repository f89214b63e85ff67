"""A zone's clock as stretches of one offset from UTC each. All times are seconds."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

from app.domain.schedule.instants import DAY, END, at_or_before, instant
from app.domain.schedule.zones import load_zone

if TYPE_CHECKING:
    from collections.abc import Iterator
    from zoneinfo import ZoneInfo

_YEARS = range(1970, 2101)
_YEAR_STARTS = [at_or_before(datetime(year, 1, 1, tzinfo=UTC)) for year in _YEARS]
_PROBE = 2 * DAY
"""No zone has changed its clock twice within six days since 1970; a test reads every zone's file to say so."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """From `start` until `end` in UTC local time is UTC + `offset`; `before` and `after` are its neighbours' offsets.

    A stretch also ends with the year (in UTC), where most often nothing changes.
    """

    start: int
    end: int
    before: int
    offset: int
    after: int


def stretch_at(timezone: str, at: int) -> Stretch:
    """The stretch that holds the instant `at`, which lies in [0, END)."""
    year = bisect_right(_YEAR_STARTS, at) - 1
    return next(stretch for stretch in _stretches_of_year(timezone, year) if at < stretch.end)


def changes_between(timezone: str, first: int, last: int) -> Iterator[Stretch]:
    """The stretches that begin with a change of the clock in [first, last]."""
    at = max(first, 0)
    while at <= min(last, END - 1):
        stretch = stretch_at(timezone, at)
        if stretch.before != stretch.offset and stretch.start >= first:
            yield stretch
        at = stretch.end


@lru_cache(maxsize=8192)
def _stretches_of_year(timezone: str, year: int) -> tuple[Stretch, ...]:
    zone = load_zone(timezone)
    first, end = _YEAR_STARTS[year : year + 2]
    edges = [first, *_changes(zone, first, end), end]
    offsets = [_offset(zone, at) for at in (first - 1, *edges)]
    return tuple(Stretch(start, stop, *offsets[i : i + 3]) for i, (start, stop) in enumerate(pairwise(edges)))


def _changes(zone: ZoneInfo, first: int, end: int) -> Iterator[int]:
    """The instants strictly within (first, end) at which the offset changes."""
    probes = [*range(first, end - 1, _PROBE), end - 1]
    for low, high in pairwise(probes):
        offset = _offset(zone, low)
        if _offset(zone, high) != offset:
            span = range(low, high + 1)
            yield low + bisect_left(span, 1, key=lambda at: _offset(zone, at) != offset)


def _offset(zone: ZoneInfo, at: int) -> int:
    local = instant(at).astimezone(zone).replace(tzinfo=UTC)
    return at_or_before(local) - at
