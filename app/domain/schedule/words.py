"""Schedules in words: times, months and years by cron-descriptor, days by ourselves since the day rule must show."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cron_descriptor import DescriptionTypeEnum, ExpressionDescriptor, Options

from app.domain.schedule.fields import DAY_OF_WEEK, YEAR, Values
from app.domain.schedule.special_days import weekday_name
from app.domain.schedule.zones import load_zone

if TYPE_CHECKING:
    from datetime import datetime

    from app.domain.schedule.expression import Expression, Reading


def cron_in_words(expression: Expression, timezone: str) -> str:
    """For example: At 09:00, on Monday through Friday (Europe/Berlin)."""
    second, minute, hour, day, month, weekday, year = expression.readings
    times = f"{_plain(second)} {_plain(minute)} {_plain(hour)}"
    rest = f"0 0 0 * {_plain(month)} * {_plain(year)}"
    return "".join(
        (
            _descriptor(f"{times} * * * *").get_description(),
            _days(day, weekday, either=expression.either_day),
            _descriptor(rest).get_description(DescriptionTypeEnum.MONTH),
            _descriptor(rest).get_description(DescriptionTypeEnum.YEAR),
            in_zone(timezone),
        )
    )


def in_zone(timezone: str) -> str:
    return "" if timezone == "UTC" else f" ({timezone})"


def moment(at: datetime, timezone: str) -> str:
    """Date and time by that zone's clock."""
    return f"{at.astimezone(load_zone(timezone)).replace(tzinfo=None)}"


def listed(parts: list[str]) -> str:
    """For example: one, two and three."""
    *others, last = parts
    return f"{', '.join(others)} and {last}" if others else last


def _days(day: Reading, weekday: Reading, *, either: bool) -> str:
    dates = _dates(day)
    weekdays = listed([*map(_weekdays, weekday.ordinary), *map(str, weekday.special)])
    unrestricted = (day.everything, weekday.everything)
    if all(unrestricted) or (either and any(unrestricted)):
        return ""
    if day.everything:
        return f", on {weekdays}"
    if weekday.everything:
        return f", on {dates}"
    return f", on {dates} or on {weekdays}" if either else f", on {dates} if that is {weekdays}"


def _dates(day: Reading) -> str:
    ordinary = f"{listed([*map(_numbers, day.ordinary)])} of the month" if day.ordinary else None
    return listed([*([ordinary] if ordinary else []), *map(str, day.special)])


def _numbers(values: Values) -> str:
    if values.step > 1:
        return f"every {_ordinal(values.step)} day" + ("" if values.whole else f" from {_numbers(_unstepped(values))}")
    low, high = values.low, values.wrapped_high
    return f"day {low}" if low == values.high else f"days {low} through {high}"


def _weekdays(values: Values) -> str:
    if values.step > 1:
        range_ = "of the week" if values.whole else f"from {_weekdays(_unstepped(values))}"
        return f"every {_ordinal(values.step)} day {range_}"
    low, high = weekday_name(values.low % 7), weekday_name(values.wrapped_high)
    return low if values.low == values.high else f"{low} through {high}"


def _unstepped(values: Values) -> Values:
    return Values(values.field, values.low, values.high)


def _ordinal(number: int) -> str:
    suffix = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th") if number // 10 != 1 else "th"
    return f"{number}{suffix}"


def _plain(reading: Reading) -> str:
    """The field with numbers alone, in the form that cron-descriptor tells best."""
    return "*" if reading.everything else ",".join(map(_term, reading.ordinary))


def _term(values: Values) -> str:
    step = f"/{values.step}" if values.step > 1 else ""
    if values.low == values.high:
        return str(values.wrapped_high)
    if values.whole:
        return f"*{step}"
    if step and values.to_the_end and values.field not in (DAY_OF_WEEK, YEAR):
        return f"{values.low}{step}"
    return f"{values.low}-{values.wrapped_high}{step}"


def _descriptor(text: str) -> ExpressionDescriptor:
    return ExpressionDescriptor(text, Options(locale_code="en_GB", use_24hour_time_format=True))
