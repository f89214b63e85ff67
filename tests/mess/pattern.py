r"""Sentences with blanks, which what the program saw fills.

`{ms}` is less than a second, `{moment}` less than ten. `{00:30}` is that instant, `{down}` one at which the moment of
this name may have been, `{00:30 to up}` the time between two of these. `{run skip 00:10}` is the id with which the
target was called.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from tests.mess.moments import Moments, instant
from tests.mess.target import Call

_BLANK = re.compile(r"\{(.*?)\}")
_UNITS = {"ms": 0.001, "s": 1, "min": 60, "h": 3600}
_TIME = r"\d+(?:\.\d+)? (?:ms|s|min|h)(?: \d+ (?:ms|s|min|h))?"
_INSTANT = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
_SECOND = timedelta(seconds=1)
"""What a sentence leaves off, and how long an answer takes to be heard."""

_Fits = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Blank:
    """What may stand there, and what the document has for it."""

    pattern: str
    fits: _Fits
    plain: str


class Pattern:
    def __init__(self, text: str, moments: Moments, calls: list[Call]) -> None:
        self._moments = moments
        self._calls = calls
        literal, *rest = _BLANK.split(text)
        self._blanks = [self._blank(name) for name in rest[::2]]
        regex, plain = re.escape(literal), literal
        for blank, then in zip(self._blanks, rest[1::2], strict=True):
            regex += f"({blank.pattern}){re.escape(then)}"
            plain += blank.plain + then
        self._regex = re.compile(regex)
        self.plain = plain

    def fits(self, text: str) -> bool:
        found = self._regex.fullmatch(text)
        return found is not None and all(
            blank.fits(said) for blank, said in zip(self._blanks, found.groups(), strict=True)
        )

    def _blank(self, name: str) -> Blank:
        if name == "ms":
            return Blank(r"\d{1,3} ms", lambda _: True, "a few ms")
        if name == "moment":
            return Blank(_TIME, lambda said: _read(said) < timedelta(seconds=10), "a moment")
        if name.startswith("run "):
            return self._run(*name.split()[1:])
        if " to " in name:
            return self._between(*name.split(" to "))
        moment = self._moments.get(name)
        return Blank(
            _INSTANT,
            lambda said: moment.earliest - _SECOND <= datetime.fromisoformat(said) <= moment.latest + _SECOND,
            f"{moment.plan.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        )

    def _run(self, job: str, at: str) -> Blank:
        called = {call.run for call in self._calls if (call.job, call.at) == (job, instant(at))}
        return Blank(r"[0-9a-f-]{36}", lambda said: {said} == called, f"<{job} {at}>")

    def _between(self, start: str, end: str) -> Blank:
        since, until = self._moments.get(start), self._moments.get(end)
        least, most = until.earliest - since.latest - _SECOND, until.latest - since.earliest + _SECOND
        return Blank(_TIME, lambda said: least <= _read(said) <= most, _written(until.plan - since.plan))


def _read(text: str) -> timedelta:
    words = text.split()
    return timedelta(seconds=sum(float(n) * _UNITS[unit] for n, unit in zip(words[::2], words[1::2], strict=True)))


def _written(time: timedelta) -> str:
    minutes, seconds = divmod(round(time.total_seconds()), 60)
    return " ".join([*([f"{minutes} min"] if minutes else []), *([f"{seconds} s"] if seconds else [])])
