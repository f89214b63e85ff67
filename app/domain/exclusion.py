"""What a job leaves out: days and intervals that it names itself, or that calendars name."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Generic, Protocol, TypeVar

from app.domain.errors import UnknownCalendar
from app.domain.exclude import Days, Entry, Exclude, InCalendar, Interval
from app.domain.namespace import DEFAULT, qualified
from app.domain.schedule import load_zone

T = TypeVar("T", int, datetime)


class Source(Protocol):
    """Something that excludes instants."""

    def covers(self, at: datetime) -> str | None:
        """Which of its entries holds the instant, in words. Raises InvalidInput where nobody can say."""
        ...


@dataclass(frozen=True, slots=True)
class Exclusions:
    """All that a job leaves out; the first source that covers an instant is the one that is named."""

    sources: tuple[Source, ...] = ()

    def covers(self, at: datetime) -> str | None:
        return next((which for source in self.sources if (which := source.covers(at)) is not None), None)


NOTHING = Exclusions()


class Listed:
    """Entries, read in a zone; made once and shared by all jobs that name them."""

    def __init__(self, timezone: str, entries: Iterable[Entry], calendar: str | None = None) -> None:
        entries = list(entries)
        self._timezone = timezone
        self._calendar = calendar
        days = [each for each in entries if isinstance(each, Days)]
        self._days = _Ranges([(each.first.toordinal(), each.last.toordinal() + 1, each) for each in days])
        intervals = [each for each in entries if isinstance(each, Interval)]
        self._intervals = _Ranges([(each.start, each.end, each) for each in intervals])

    def covers(self, at: datetime) -> str | None:
        day = at.astimezone(load_zone(self._timezone)).toordinal() if self._days else 0
        entry = self._days.find(day) or self._intervals.find(at)
        if entry is None or self._calendar is None:
            return None if entry is None else str(entry)
        return f"calendar {self._calendar} ({entry.summary or entry})"


@dataclass(frozen=True, slots=True)
class _Unknown:
    calendar: str

    def covers(self, at: datetime) -> str | None:  # noqa: ARG002  # nobody can say for any instant
        raise unknown_calendar(self.calendar)


def unknown_calendar(name: str) -> UnknownCalendar:
    return UnknownCalendar(
        f"There is no calendar named {name}.",
        field="exclude",
        remedy=f"Create it with PUT /v1/calendars/{name}, or leave it out.",
    )


def resolve(exclude: Exclude, timezone: str, calendars: Mapping[str, Source], namespace: str = DEFAULT) -> Exclusions:
    """What the list of a job in this zone and namespace means, with the calendars as they are, by their keys."""
    if not exclude:
        return NOTHING
    own = tuple(each for each in exclude if not isinstance(each, InCalendar))
    named = dict.fromkeys(each.calendar for each in exclude if isinstance(each, InCalendar))
    listed: tuple[Source, ...] = (_own(timezone, own),) if own else ()
    return Exclusions(listed + tuple(calendars.get(qualified(namespace, name)) or _Unknown(name) for name in named))


@lru_cache(maxsize=1000)
def _own(timezone: str, entries: tuple[Entry, ...]) -> Listed:
    return Listed(timezone, entries)


class _Ranges(Generic[T]):
    """Disjoint ranges, the end of each excluded: where entries overlap, the one that begins first has it all."""

    def __init__(self, ranges: Sequence[tuple[T, T, Entry]]) -> None:
        self._starts: list[T] = []
        self._ends: list[T] = []
        self._entries: list[Entry] = []
        for start, end, entry in sorted(ranges, key=lambda each: each[:2]):
            begin = max(start, self._ends[-1]) if self._ends else start
            if begin < end:
                self._starts.append(begin)
                self._ends.append(end)
                self._entries.append(entry)

    def __bool__(self) -> bool:
        return bool(self._starts)

    def find(self, point: T) -> Entry | None:
        index = bisect_right(self._starts, point) - 1
        return self._entries[index] if index >= 0 and point < self._ends[index] else None
