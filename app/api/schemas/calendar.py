"""Calendars on their way in and out."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainSerializer, PlainValidator, WithJsonSchema

from app.api.schemas.day import DATE, RANGES, is_backwards, one_of, read_day, read_range, tell_range
from app.api.schemas.fields import NAME_PATTERN, NO_NUL, Description, Timezone
from app.api.schemas.page import Page
from app.api.schemas.text import fault, sound
from app.domain.calendar import CalendarDefinition, CalendarSummary, PersistedCalendar
from app.domain.exclude import Days, Entry, Interval

EXAMPLE: dict[str, Any] = {
    "name": "holidays",
    "timezone": "Europe/Berlin",
    "description": "When the shops are closed.",
    "entries": [
        {"date": "2027-12-24", "summary": "Christmas Eve"},
        {"from": "2027-12-27", "until": "2027-12-31", "summary": "Stocktaking"},
    ],
}
ICALENDAR = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//example//holidays//EN
BEGIN:VEVENT
UID:christmas-eve@example.com
DTSTART;VALUE=DATE:20271224
RRULE:FREQ=YEARLY
SUMMARY:Christmas Eve
END:VEVENT
END:VCALENDAR
"""
_MOST = 255
_SUMMARY = {"summary": {"type": "string", "maxLength": _MOST, "pattern": NO_NUL}}
_SCHEMA = {"anyOf": one_of({"date": DATE}, *RANGES, optional=_SUMMARY)}


def read_entry(value: object) -> Entry:
    """Raises PydanticCustomError."""
    if isinstance(value, Days | Interval):
        return value
    match value:
        case {"date": day, **rest} if rest.keys() <= {"summary"}:
            return Days(read_day(day), read_day(day), _summary(rest))
        case {"from": begin, "until": end, **rest} if rest.keys() <= {"summary"}:
            return read_range(begin, end, _summary(rest))
    raise fault(
        "entry",
        "Is neither a day nor a range",
        'Use {"date": "2027-12-24"} or {"from": "2027-12-24", "until": "2027-12-26"}, with a summary if you like.',
    )


def tell_entry(entry: Entry) -> dict[str, str]:
    """What `read_entry` reads."""
    one_day = isinstance(entry, Days) and entry.first == entry.last
    told = {"date": tell_range(entry)["from"]} if one_day else tell_range(entry)
    return told | ({"summary": entry.summary} if entry.summary else {})


def _summary(rest: Mapping[object, object]) -> str:
    summary = rest.get("summary", "")
    if not isinstance(summary, str) or len(summary) > _MOST:
        raise fault("summary", "Has a summary that is no text of at most 255 characters", "Shorten it.")
    try:
        summary.encode()
    except UnicodeEncodeError:
        raise fault("surrogate", "Holds half of a surrogate pair", "Write the character itself.") from None
    return sound(summary)


def _forwards(entries: list[Entry]) -> list[Entry]:
    for each in entries:
        if is_backwards(each):
            raise fault("backwards", "Hold a range that ends before it begins", "Let until be later than from.")
    return entries


_Entry = Annotated[Entry, PlainValidator(read_entry), PlainSerializer(tell_entry), WithJsonSchema(_SCHEMA)]
Entries = Annotated[list[_Entry], Field(max_length=5000), AfterValidator(_forwards)]
Name = Annotated[str, Field(pattern=NAME_PATTERN, description="Unique among the calendars.")]


class CalendarFields(BaseModel):
    """What a calendar is, apart from its name."""

    model_config = ConfigDict(extra="forbid")

    timezone: Timezone = Field("UTC", description="Name of the tz database: by its clock the days begin and end.")
    description: Description = ""
    entries: Entries = Field([], description="At most 5,000 days, ranges of days, and intervals.")

    def definition(self, name: str) -> CalendarDefinition:
        return CalendarDefinition(
            name=name, timezone=self.timezone, description=self.description, entries=tuple(self.entries)
        )


class CalendarIn(CalendarFields):
    """A new calendar."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    name: Name


class CalendarPut(CalendarFields):
    """The whole of a calendar; the name may be left out, since the path has it."""

    name: Name | None = None


class CalendarOut(BaseModel):
    """A calendar as it is stored."""

    name: str
    timezone: str
    description: str
    entries: list[_Entry]
    version: int = Field(
        description="Raised by each change of the calendar, and with it that of the jobs that name it."
    )
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, calendar: PersistedCalendar) -> Self:
        return cls(**{name: getattr(calendar, name) for name in cls.model_fields})


class CalendarItem(BaseModel):
    """A calendar in a list."""

    name: str
    timezone: str
    description: str
    size: int = Field(description="How many entries it has.")
    version: int
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, calendar: CalendarSummary) -> Self:
        return cls(**{name: getattr(calendar, name) for name in cls.model_fields})


class CalendarPage(Page[CalendarItem]):
    """By name."""
