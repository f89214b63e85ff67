"""The fields of a cron expression: what each may hold, and how its terms are read.

A term is rewritten in a form that croniter reads rightly: bounds checked, names as numbers, Sunday as 0, ranges that
wrap around cut in two, hashes drawn.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.domain.errors import InvalidSchedule
from app.domain.schedule.hashing import draw

if TYPE_CHECKING:
    from typing import NoReturn

_RANGE = re.compile(r"(?P<low>\*|[0-9]+|[A-Z]+)(-(?P<high>[0-9]+|[A-Z]+))?(/(?P<step>[0-9]+))?")
_HASH = re.compile(r"H(\((?P<low>[0-9]+|[A-Z]+)-(?P<high>[0-9]+|[A-Z]+)\))?(/(?P<step>[0-9]+))?")
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")


@dataclass(frozen=True, slots=True)
class Field:
    """`low` and `high` bound the values; `last` is the highest that may be written, and `drawn` the highest of `H`."""

    name: str
    low: int
    high: int
    last: int
    drawn: int
    names: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()
    wraps: bool = True

    @property
    def size(self) -> int:
        return self.high - self.low + 1

    @property
    def bounds(self) -> str:
        names = f" or {self.names[0]}-{self.names[-1]}" if self.names else ""
        return f"{self.low}-{self.last}{names}"

    def value(self, text: str, term: str) -> int:
        """The number that a number or a name in capitals stands for. Raises InvalidSchedule about the whole term."""
        if text in self.names:
            return self.low + self.names.index(text)
        if not text.isdecimal():
            self.refuse(term, "can't be read")
        if not self.low <= (value := int(text)) <= self.last:
            self.refuse(term, "is out of range", f"Use {self.bounds}.")
        return value

    def refuse(self, term: str, why: str, remedy: str | None = None) -> NoReturn:
        """Raise InvalidSchedule: which field, what was read, and what would do."""
        read = term if len(term) <= _SHOWN else f"{term[:_SHOWN]}..."
        *most, last = (self.bounds, "lists (1,5)", "ranges (1-5)", "steps (*/2)", "H", *self.extras)
        usual = f"Use {', '.join(most)} or {last}."
        raise InvalidSchedule(f"{self.name}: '{read}' {why}.", field="schedule", remedy=remedy or usual)


_SHOWN = 40
SECOND = Field("second", 0, 59, 59, 59)
MINUTE = Field("minute", 0, 59, 59, 59)
HOUR = Field("hour", 0, 23, 23, 23)
DAY_OF_MONTH = Field("day of month", 1, 31, 31, 28, extras=("L", "L-3", "LW", "15W"))
MONTH = Field("month", 1, 12, 12, 12, _MONTHS)
DAY_OF_WEEK = Field("day of week", 0, 6, 7, 6, _WEEKDAYS, extras=("FRI#3", "FRI#L"))
YEAR = Field("year", 1970, 2099, 2099, 2099, wraps=False)
FIELDS = (SECOND, MINUTE, HOUR, DAY_OF_MONTH, MONTH, DAY_OF_WEEK, YEAR)


@dataclass(frozen=True, slots=True)
class Values:
    """`low`, `low` + `step` and so on up to `high`, which lies beyond the field's bounds where the range wraps."""

    field: Field
    low: int
    high: int
    step: int = 1

    @property
    def whole(self) -> bool:
        """Whether the range, steps aside, is all that the field may hold."""
        return self.low == self.field.low and self.high >= self.field.high

    @property
    def to_the_end(self) -> bool:
        """Whether it ends where the field does, or at the Sunday that ends a week."""
        return self.field.high <= self.high <= self.field.last

    @property
    def wrapped_high(self) -> int:
        """`high` within the field's bounds."""
        return self.high if self.high <= self.field.high else self.high - self.field.size

    def terms(self) -> list[str]:
        """The same values as terms that croniter reads rightly: without a wrap, and no range of a single value."""
        if self.whole and self.step == 1:
            return ["*"]
        top, size = self.field.high, self.field.size
        again = self.low - (self.low - top - 1) // self.step * self.step
        parts = [_term(self.low, min(self.high, top), self.step)] if self.low <= top else []
        return parts + ([_term(again - size, self.high - size, self.step)] if again <= self.high else [])


def whole_field(field: Field) -> Values:
    return Values(field, field.low, field.high)


def read_term(field: Field, term: str, name: str) -> Values:
    """One ordinary term of a list; `name` is what `H` hashes. Raises InvalidSchedule."""
    if match := _HASH.fullmatch(term.upper()):
        return _draw(_range(field, term, match, field.drawn), term, name)
    if match := _RANGE.fullmatch(term.upper()):
        return _range(field, term, match, field.last)
    return field.refuse(term, "can't be read")


def _range(field: Field, term: str, match: re.Match[str], last: int) -> Values:
    """`5/2` and `*` run to `last`: among weekdays that is 7, the Sunday that ends the week."""
    low_text, high_text, step_text = match["low"], match["high"], match["step"]
    if low_text in (None, "*"):
        if high_text is not None:
            field.refuse(term, "can't be read")
        low, high = field.low, last
    else:
        low = field.value(low_text, term)
        high = field.value(high_text, term) if high_text else (last if step_text else low)
    if low > high:
        if not field.wraps:
            field.refuse(term, "runs backwards", f"Put the lower {field.name} first.")
        high += field.size
    return Values(field, low, high, _step(field, term, step_text, high - low))


def _step(field: Field, term: str, text: str | None, widest: int) -> int:
    """A step of 1 is always right, any other must lead to a second value."""
    step = int(text or 1)
    if step == 0:
        field.refuse(term, "has a step of 0", "Use a step of at least 1.")
    if step > max(widest, 1):
        smaller = f"Use a step of at most {widest}." if widest > 1 else "Leave the step out."
        field.refuse(term, "has a step larger than its range", smaller)
    return step


def _draw(values: Values, term: str, name: str) -> Values:
    """`H` draws one value of its range, `H/15` the first of its steps."""
    field = values.field
    if not name:
        field.refuse(term, "is hashed from the job's name, and there is none", "Give the name, or write a value.")
    if "/" in term:
        return Values(field, values.low + draw(name, field.name, values.step), values.high, values.step)
    value = values.low + draw(name, field.name, values.high - values.low + 1)
    return Values(field, value, value)


def _term(low: int, high: int, step: int) -> str:
    if low == high:
        return str(low)
    return f"{low}-{high}" if step == 1 else f"{low}-{high}/{step}"
