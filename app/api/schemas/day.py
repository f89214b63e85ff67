"""Days and intervals as they are written, on their way in and out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from app.api.schemas.instant import read_instant
from app.api.schemas.text import fault
from app.domain.exclude import Days, Entry, Interval

DATE: dict[str, Any] = {"type": "string", "format": "date"}
_INSTANT: dict[str, Any] = {"type": "string", "format": "date-time"}
_ISO_8601 = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")
_FIRST, _LAST = date(1970, 1, 1), date(2099, 12, 31)
_REMEDY = "Use a day such as 2027-12-24."


def one_of(*fields: Mapping[str, Any], optional: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
    """The schemas of objects that have exactly these fields, and perhaps the optional ones."""
    return [
        {"type": "object", "properties": {**each, **(optional or {})}, "required": list(each)}
        | {"additionalProperties": False}
        for each in fields
    ]


RANGES: tuple[dict[str, Any], dict[str, Any]] = (
    {"from": DATE | {"description": "The first day."}, "until": DATE | {"description": "The last day, included."}},
    {"from": _INSTANT | {"description": "Included."}, "until": _INSTANT | {"description": "Not included."}},
)


def read_range(begin: object, end: object, summary: str = "") -> Entry:
    """From a day to a day, which is included, or from an instant to an instant, which is not."""
    if _is_day(begin) != _is_day(end):
        raise fault(
            "range", "Goes from a day to an instant", "Use two days, or two instants such as 2027-12-24T18:00:00Z."
        )
    if _is_day(begin):
        return Days(read_day(begin), read_day(end), summary)
    return Interval(read_instant(begin), read_instant(end), summary)


def read_day(value: object) -> date:
    """Within the years that schedules know."""
    if not isinstance(value, str) or not _ISO_8601.fullmatch(value):
        raise fault("day", "Is not a day", _REMEDY)
    try:
        day = date.fromisoformat(value)
    except ValueError:
        raise fault("day", "Does not exist in the calendar", "Correct the day.") from None
    if not _FIRST <= day <= _LAST:
        raise fault("day", "Is out of range", "Use a day from 1970 to 2099.")
    return day


def is_backwards(entry: Entry) -> bool:
    return entry.last < entry.first if isinstance(entry, Days) else entry.end <= entry.start


def tell_range(entry: Entry) -> dict[str, str]:
    if isinstance(entry, Days):
        return {"from": entry.first.isoformat(), "until": entry.last.isoformat()}
    return {"from": _told(entry.start), "until": _told(entry.end)}


def _is_day(value: object) -> bool:
    return isinstance(value, str) and bool(_ISO_8601.fullmatch(value))


def _told(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
