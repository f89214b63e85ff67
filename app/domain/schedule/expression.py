"""A cron expression of five to seven fields: read by our rules, and its ordinary fields expanded by croniter."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from croniter import croniter

from app.domain.errors import InvalidSchedule
from app.domain.job import DayRule
from app.domain.schedule.days import DayFields, Days
from app.domain.schedule.fields import DAY_OF_MONTH, DAY_OF_WEEK, FIELDS, YEAR, Field, Values, read_term, whole_field
from app.domain.schedule.pattern import Pattern, Times
from app.domain.schedule.special_days import SpecialDay, read_special_day

_ALL_YEARS = tuple(range(YEAR.low - 1, YEAR.high + 2))
"""An instant of 1970 or of 2099 may be in a neighbouring year by local time."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One field as it was written, and its terms: ordinary ones, and the days that croniter can't say."""

    text: str
    ordinary: tuple[Values, ...]
    special: tuple[SpecialDay, ...] = ()

    @property
    def starred(self) -> bool:
        return self.text[0] in "*?"

    @property
    def everything(self) -> bool:
        return any(values.whole and values.step == 1 for values in self.ordinary)


@dataclass(frozen=True, slots=True)
class Expression:
    """Seven fields, seconds first and year last."""

    readings: tuple[Reading, ...]
    values: tuple[tuple[int, ...], ...]
    day_rule: DayRule

    @property
    def fixed(self) -> bool:
        """Whether Debian cron counts it as bound to times of the day."""
        return not (self.readings[1].starred or self.readings[2].starred)

    @property
    def restricts_both_days(self) -> bool:
        return not (self.readings[3].starred or self.readings[5].starred)

    @property
    def either_day(self) -> bool:
        """Whether a day is due that only one of the two day fields names."""
        return self.restricts_both_days and self.day_rule == DayRule.OR

    def pattern(self) -> Pattern:
        seconds, minutes, hours, days, months, weekdays, years = self.values
        fields = DayFields(
            frozenset(days),
            self.readings[3].special,
            frozenset(weekdays),
            self.readings[5].special,
            self.either_day,
        )
        return Pattern(Days(fields, months, years), Times(hours, minutes, seconds))


def read_expression(text: str, *, name: str, day_rule: DayRule) -> Expression:
    """Raises InvalidSchedule. `name` is what `H` hashes."""
    words = text.split()
    padded = {5: ["0", *words, "*"], 6: [*words, "*"], 7: words}.get(len(words))
    if padded is None:
        raise InvalidSchedule(
            f"A cron expression has 5, 6 or 7 fields, not {len(words)}.",
            field="schedule",
            remedy="Use minute, hour, day of month, month and day of week, with seconds before and a year after them.",
        )
    readings = tuple(_read(field, word, name) for field, word in zip(FIELDS, padded, strict=True))
    return Expression(readings, _expand(tuple(_terms(reading) for reading in readings)), day_rule)


def _read(field: Field, text: str, name: str) -> Reading:
    if text == "?" and field in (DAY_OF_MONTH, DAY_OF_WEEK):
        return Reading(text, (whole_field(field),))
    ordinary: list[Values] = []
    special: list[SpecialDay] = []
    for term in text.split(","):
        day = read_special_day(field, term)
        if day is None:
            ordinary.append(read_term(field, term, name))
        else:
            special.append(day)
    return Reading(text, tuple(ordinary), tuple(special))


def _terms(reading: Reading) -> str:
    """The ordinary terms as croniter reads them rightly."""
    return ",".join(term for values in reading.ordinary for term in values.terms())


@lru_cache(maxsize=4096)
def _expand(fields: tuple[str, ...]) -> tuple[tuple[int, ...], ...]:
    """The values of each field, sorted; none for a field that has special days alone."""
    text = " ".join(terms or "*" for terms in fields)
    try:
        expanded, _ = croniter.expand(text, second_at_beginning=True)
    except ValueError as error:
        raise InvalidSchedule(f"'{text}' can't be read.", field="schedule") from error
    minute, hour, day, month, weekday, second, year = expanded
    found = (second, minute, hour, day, month, weekday, year)
    return tuple(
        _values(field, values) if terms else () for field, values, terms in zip(FIELDS, found, fields, strict=True)
    )


def _values(field: Field, expanded: list[int | str]) -> tuple[int, ...]:
    """What croniter expanded a field to; it says `*` for a whole one."""
    if "*" not in expanded:
        return tuple(sorted(int(value) for value in expanded))
    return _ALL_YEARS if field is YEAR else tuple(range(field.low, field.high + 1))
