"""One event of an iCalendar file, and the local times at which it begins. The only import of icalendar and dateutil."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from time import monotonic
from typing import Any
from zoneinfo import ZoneInfo

import icalendar
from dateutil.rrule import rrulestr

from app.domain.schedule import timezones

_FREQUENCIES = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
_LONGEST = 255
_LAST = date(9999, 12, 31)


@dataclass(frozen=True, slots=True)
class Event:
    """All times are local ones of its zone, which is None where the event takes whole days.

    Each rule has the time until which it holds. `removed` holds days too, for whatever begins on them. `instead_of` is
    the occurrence of the event of the same `uid` that this one replaces.
    """

    uid: str
    summary: str
    start: datetime
    zone: tzinfo | None
    duration: timedelta
    rules: tuple[tuple[str, datetime], ...]
    added: tuple[datetime, ...]
    removed: frozenset[date]
    instead_of: datetime | None
    canceled: bool

    def starts(self, first: datetime, last: datetime, deadline: float) -> Iterator[datetime]:
        """In no order. What repeats is unfolded from `first` to `last`.

        Raises ValueError for a rule that can't be read, TimeoutError once the monotonic clock is past the deadline.
        """
        yield from (start for start in (self.start, *self.added) if not self._is_removed(start))
        for rule, until in self.rules:
            _check(deadline)  # one that never comes true says nothing for seconds
            for start in rrulestr(rule, dtstart=self.start):
                _check(deadline)
                if start > min(until, last):
                    break
                if start >= first and not self._is_removed(start):
                    yield start

    def _is_removed(self, start: datetime) -> bool:
        return start in self.removed or start.date() in self.removed


def read_event(text: str, zone: tzinfo) -> Event:
    """`zone` is that of times which name none. Raises ValueError, whose text begins with the property at fault."""
    raw = icalendar.Event.from_ical(text)
    for name, message in raw.errors:
        raise ValueError(f"{name}: {message}")
    start = _only(raw, "DTSTART")
    if start is None:
        raise ValueError("DTSTART: is not there")
    local = (start.tzinfo or zone) if isinstance(start, datetime) else None
    instead_of = _only(raw, "RECURRENCE-ID")
    if "EXRULE" in raw:
        raise ValueError("EXRULE: is no longer part of iCalendar")
    return Event(
        uid=str(raw.get("UID", "")),
        summary=" ".join(str(raw.get("SUMMARY", "")).replace("\0", " ").split())[:_LONGEST],
        start=_local(start, local),
        zone=local,
        duration=_duration(raw, start, local),
        rules=tuple(_rule(each, local) for each in _all(raw, "RRULE")),
        added=tuple(_local(each, local) for each in _listed(raw, "RDATE")),
        removed=frozenset(
            _local(each, local) if isinstance(each, datetime) else each for each in _listed(raw, "EXDATE")
        ),
        instead_of=None if instead_of is None else _local(instead_of, local),
        canceled=str(raw.get("STATUS", "")).upper() == "CANCELLED",
    )


def _check(deadline: float) -> None:
    if monotonic() > deadline:
        raise TimeoutError


def _duration(raw: icalendar.Component, start: Any, zone: tzinfo | None) -> timedelta:  # noqa: ANN401  # a day or a time
    """Of a day where nothing is said of it, of no time where the event begins at a time of day."""
    end, said = _only(raw, "DTEND"), raw.get("DURATION")
    if end is None:
        length = timedelta(days=zone is None) if said is None else said.dt
        if not isinstance(length, timedelta):
            raise ValueError("DURATION: is no duration")
    elif isinstance(end, datetime) != isinstance(start, datetime):
        raise ValueError("DTEND: is a day where DTSTART is a time, or the other way round")
    else:
        length = end - start if zone is None else _instant(end, zone) - _instant(start, zone)
    if length < timedelta(0):
        raise ValueError("DTEND: comes before DTSTART")
    return timedelta(days=max(length.days, 1)) if zone is None else length


def _rule(rule: icalendar.vRecur, zone: tzinfo | None) -> tuple[str, datetime]:
    frequency = rule.get("FREQ", ["nothing"])[0]
    if frequency not in _FREQUENCIES:
        raise ValueError(f"RRULE: has {frequency} for FREQ, where DAILY, WEEKLY, MONTHLY or YEARLY would do")
    if rule.get("INTERVAL", [1])[0] < 1:
        raise ValueError("RRULE: has an INTERVAL below 1")
    until = rule.pop("UNTIL", [_LAST])[0]
    latest = _local(until, zone) if isinstance(until, datetime) else datetime.combine(until, time.max)
    return bytes(rule.to_ical()).decode(), latest  # type: ignore[no-untyped-call]  # as the library has it


def _listed(raw: icalendar.Component, name: str) -> list[Any]:
    """The days or times of a property that may stand often; of a period its start."""
    found = [each for value in _all(raw, name) for each in value.dts]
    return [_known(each.dt[0] if isinstance(each.dt, tuple) else each.dt, each, name) for each in found]


def _only(raw: icalendar.Component, name: str) -> Any:  # noqa: ANN401  # a day, a time or nothing
    values = _all(raw, name)
    if len(values) > 1:
        raise ValueError(f"{name}: stands there more than once")
    return _known(values[0].dt, values[0], name) if values else None


def _all(raw: icalendar.Component, name: str) -> list[Any]:
    value = raw.get(name, [])
    return value if isinstance(value, list) else [value]


def _known(at: Any, value: Any, name: str) -> Any:  # noqa: ANN401  # the library's values carry no types
    """The library leaves out a zone that it doesn't know, and knows those of the machine."""
    if not isinstance(at, date):
        raise ValueError(f"{name}: is neither a day nor a time")  # noqa: TRY004  # of the file, not of the program
    zone = value.params.get("TZID")
    if isinstance(at, datetime) and zone and not _is_listed(at.tzinfo):
        raise ValueError(f"{name}: there is no time zone '{zone[:64]}' in the tz database")
    return at


def _is_listed(zone: tzinfo | None) -> bool:
    """Also one that the file itself describes."""
    return zone is not None and (not isinstance(zone, ZoneInfo) or zone.key in timezones())


def _local(at: date, zone: tzinfo | None) -> datetime:
    if not isinstance(at, datetime):
        return datetime.combine(at, time())
    return at.replace(tzinfo=None) if zone is None or at.tzinfo is None else at.astimezone(zone).replace(tzinfo=None)


def _instant(at: datetime, zone: tzinfo) -> datetime:
    return (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC)
