"""iCalendar files (RFC 5545): what their events cover, as the entries of a calendar.

The file is taken apart here, and the library sees one event at a time: what a file says of time zones it would keep
for every file after it, and each error can name its line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from time import monotonic
from typing import NamedTuple

from app.domain.errors import InvalidCalendar
from app.domain.exclude import Days, Entry, Interval
from app.domain.schedule import load_zone
from app.service.ical_event import Event, read_event

MOST = 5000
"""So many events may a file have, and so many entries may come of them."""

SECONDS = 5.0
"""For unfolding the rules of a file, and for the last of them up to eight more: one that never comes true."""

_DAY = timedelta(days=1)
_BACK, _AHEAD = timedelta(days=366), timedelta(days=3653)
"""What repeats is unfolded from a year before the import to ten years after it."""

_FIRST, _LAST = date(1970, 1, 1), date(2099, 12, 31)
_KEPT = re.compile(
    "(DTSTART|DTEND|DURATION|RRULE|EXRULE|RDATE|EXDATE|RECURRENCE-ID|UID|SUMMARY|STATUS)[:;]", re.IGNORECASE
)
_REMEDY = "Export the calendar again as iCalendar (RFC 5545), in UTF-8."


class _Line(NamedTuple):
    number: int
    text: str


def read_calendar(file: bytes, timezone: str, at: datetime) -> tuple[Entry, ...]:
    """Days and intervals in their order; times without a zone are read in this one. Raises InvalidCalendar.

    Takes seconds where there are many events: too long for an event loop.
    """
    zone = load_zone(timezone)
    events = [(lines[0].number, _read(lines, zone)) for lines in _events(_lines(file))]
    replaced = {(event.uid, event.instead_of) for _, event in events if event.uid and event.instead_of}
    first, last = (at.astimezone(zone).replace(tzinfo=None) + by for by in (-_BACK, _AHEAD))
    deadline = monotonic() + SECONDS
    found: set[Entry] = set()
    for number, event in events:
        with _at_fault(number):
            for start in event.starts(first, last, deadline):
                if event.instead_of is not None or (event.uid, start) not in replaced:
                    found |= _entries(event, start)
                if len(found) > MOST:
                    raise _refused(number, f"there are more than {MOST} days and intervals", "Leave some out.")
    return tuple(sorted(found, key=_order))


def _read(lines: list[_Line], zone: tzinfo) -> Event:
    text = "\r\n".join([*(line.text for line in lines), "END:VEVENT", ""])
    with _at_fault(lines[0].number):
        return read_event(text, zone)


@contextmanager
def _at_fault(number: int) -> Iterator[None]:
    """The library raises whatever comes of a value that it does not expect."""
    try:
        yield
    except TimeoutError:
        raise _refused(number, "its rules, and those before, take too long to unfold", "List the days.") from None
    except (ValueError, TypeError, AttributeError, LookupError, ArithmeticError, OSError) as error:
        raise _refused(number, str(error) or type(error).__name__) from error


def _entries(event: Event, start: datetime) -> set[Entry]:
    """None where it is canceled, covers nothing, or lies outside the years that schedules know."""
    if event.canceled:
        return set()
    if event.zone is None:
        first, last = max(start.date(), _FIRST), min((start + event.duration - _DAY).date(), _LAST)
        return {Days(first, last, event.summary)} if first <= last else set()
    begin = start.replace(tzinfo=event.zone).astimezone(UTC)
    since, until = max(begin, _midnight(_FIRST)), min(begin + event.duration, _midnight(_LAST))
    return {Interval(since, until, event.summary)} if since < until else set()


def _order(entry: Entry) -> tuple[datetime, str]:
    start = _midnight(entry.first) if isinstance(entry, Days) else entry.start
    return start, str(entry)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _refused(number: int, message: str, remedy: str = _REMEDY) -> InvalidCalendar:
    return InvalidCalendar(f"Line {number}: {message[:500]}.", field=f"line {number}", remedy=remedy)


def _lines(file: bytes) -> list[_Line]:
    """Unfolded, each with the number of its first line."""
    try:
        text = file.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _refused(file[: error.start].count(b"\n") + 1, "it is not UTF-8") from None
    parts: list[tuple[int, list[str]]] = []
    for number, line in enumerate(re.split("\r?\n", text), start=1):
        if parts and line[:1] in (" ", "\t") and line:
            parts[-1][1].append(line[1:])
        elif line.strip():
            parts.append((number, [line]))
    return [_Line(number, "".join(folded)) for number, folded in parts]


def _events(lines: list[_Line]) -> Iterator[list[_Line]]:
    """The lines of each event, without what it contains: alarms, for instance."""
    if not lines or lines[0].text.strip().upper() != "BEGIN:VCALENDAR":
        raise _refused(1, "it does not begin with BEGIN:VCALENDAR")
    open_parts: list[str] = []
    event: list[_Line] = []
    events = 0
    for line in lines:
        what, _, name = line.text.strip().upper().partition(":")
        if what == "BEGIN":
            open_parts.append(name)
            event = [line] if open_parts == ["VCALENDAR", "VEVENT"] else event
        elif what == "END":
            if not open_parts or open_parts.pop() != name:
                raise _refused(line.number, f"END:{name[:64]} ends nothing that has begun")
            if name == "VEVENT" and open_parts == ["VCALENDAR"]:
                events += 1
                if events > MOST:
                    raise _refused(line.number, f"there are more than {MOST} events", "Leave some out.")
                yield event
        elif open_parts == ["VCALENDAR", "VEVENT"] and _KEPT.match(line.text):
            event.append(line)
    if open_parts:
        raise _refused(lines[-1].number, f"it ends before END:{open_parts[-1][:64]}")
