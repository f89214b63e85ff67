"""What a job leaves out: a day, a range of days, an interval, or what a calendar names."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field, PlainSerializer, PlainValidator, WithJsonSchema

from app.api.schemas.day import DATE, RANGES, is_backwards, one_of, read_day, read_range, tell_range
from app.api.schemas.fields import NAME_PATTERN
from app.api.schemas.text import fault
from app.domain.exclude import Days, InCalendar, Interval

_CALENDAR = {"calendar": {"type": "string", "pattern": NAME_PATTERN}}
_SCHEMA = {"anyOf": [DATE, *one_of(*RANGES, _CALENDAR)]}


def read_item(value: object) -> Days | Interval | InCalendar:
    """Raises PydanticCustomError."""
    if isinstance(value, Days | Interval | InCalendar):
        return value
    if isinstance(value, str):
        day = read_day(value)
        return Days(day, day)
    match value:
        case {"calendar": str(name), **rest} if not rest:
            return InCalendar(_name(name))
        case {"from": begin, "until": end, **rest} if not rest:
            return read_range(begin, end)
    raise fault(
        "exclude",
        "Is neither a day, nor a range, nor a calendar",
        'Use "2027-12-24", {"from": "2027-12-24", "until": "2027-12-26"} or {"calendar": "holidays"}.',
    )


def tell_item(item: Days | Interval | InCalendar) -> str | dict[str, str]:
    """What `read_item` reads."""
    if isinstance(item, InCalendar):
        return {"calendar": item.calendar}
    if isinstance(item, Days) and item.first == item.last:
        return item.first.isoformat()
    return tell_range(item)


def _name(name: str) -> str:
    if not re.fullmatch(NAME_PATTERN, name):
        raise fault("calendar", "Is not a name that a calendar can have", "Use the name of a calendar as it is listed.")
    return name


def _forwards(items: list[Days | Interval | InCalendar]) -> list[Days | Interval | InCalendar]:
    if any(not isinstance(each, InCalendar) and is_backwards(each) for each in items):
        raise fault("backwards", "Holds a range that ends before it begins", "Let until be later than from.")
    return items


Item = Annotated[
    Days | Interval | InCalendar, PlainValidator(read_item), PlainSerializer(tell_item), WithJsonSchema(_SCHEMA)
]
Exclude = Annotated[list[Item], Field(max_length=100), AfterValidator(_forwards)]
