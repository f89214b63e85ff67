"""When a job is due, said again without the project's code: plain lists, for schedules that are easily listed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)

_EVERY_MINUTES = re.compile(r"\*/(\d+) \* \* \* \*")
_EVERY_HOURS = re.compile(r"(\d+) \*/(\d+) \* \* \*")
_DAILY = re.compile(r"(\d+) (\d+) \* \* \*")
_INTERVAL = re.compile(r"@every (\d+)s")
_ONCE = re.compile(r"@at (\S+)")

_Recurrence = tuple[str, str, datetime, str]
"""Schedule, zone, anchor, and what to do about a time that comes twice."""


def due(definition: Mapping[str, Any], begin: datetime, end: datetime) -> list[datetime]:
    """Every instant within [begin, end] for which the ledger of such a job, never edited, has something to tell.

    `definition` is as `job_versions` keeps it. A time that the clock jumps over counts, also where the job skips it.
    """
    anchor, overlap = datetime.fromisoformat(definition["anchor"]), str(definition["dst_overlap"])
    found = _listed((definition["schedule"], definition["timezone"], anchor, overlap), begin, end)
    starts, ends = (_instant(definition[name]) for name in ("starts_at", "ends_at"))
    return [at for at in found if (starts is None or starts <= at) and (ends is None or at <= ends)]


def is_excluded(definition: Mapping[str, Any], at: datetime) -> bool:
    """Whether one of the days, in the job's zone, or of the intervals that the job leaves out holds the instant."""
    day = at.astimezone(ZoneInfo(definition["timezone"])).date().isoformat()
    for each in definition["policies"].get("exclude", ()):
        if "first" in each and each["first"] <= day <= each["last"]:
            return True
        if "start" in each and datetime.fromisoformat(each["start"]) <= at < datetime.fromisoformat(each["end"]):
            return True
    return False


def is_skipped(definition: Mapping[str, Any], at: datetime) -> bool:
    """Whether the job leaves out this instant, at which the clock jumped over its time."""
    daily = _DAILY.fullmatch(definition["schedule"])
    if daily is None or definition["dst_gap"] == "after":
        return False
    local = at.astimezone(ZoneInfo(definition["timezone"]))
    return (local.minute, local.hour) != (int(daily[1]), int(daily[2]))


@lru_cache(maxsize=1000)
def _listed(recurrence: _Recurrence, begin: datetime, end: datetime) -> list[datetime]:
    return sorted({at for at in _all(recurrence, begin, end) if begin <= at <= end})


def _all(recurrence: _Recurrence, begin: datetime, end: datetime) -> Iterator[datetime]:
    schedule, timezone, anchor, overlap = recurrence
    zone = ZoneInfo(timezone)
    if match := _INTERVAL.fullmatch(schedule):
        interval = timedelta(seconds=int(match[1]))
        yield from _steps(anchor - (anchor - begin) // interval * interval - interval, end, interval)
    elif match := _ONCE.fullmatch(schedule):
        yield datetime.fromisoformat(match[1]).astimezone(UTC)
    elif match := _DAILY.fullmatch(schedule):
        for day in _days(begin, end):
            yield from _daily(datetime.combine(day, time(int(match[2]), int(match[1]))), zone, overlap)
    else:
        wanted = _wanted(schedule)
        for at in _steps(begin.replace(minute=0, second=0, microsecond=0), end, MINUTE):
            local = at.astimezone(zone)
            if (local.minute in wanted[0]) and (local.hour in wanted[1]):
                yield at


def _wanted(schedule: str) -> tuple[range, range]:
    """The minutes and hours of a schedule that fires whenever its local time matches."""
    if match := _EVERY_MINUTES.fullmatch(schedule):
        return range(0, 60, int(match[1])), range(24)
    match = _EVERY_HOURS.fullmatch(schedule)
    assert match is not None, f"{schedule} is not among those that are listed here"
    return range(int(match[1]), int(match[1]) + 1), range(0, 24, int(match[2]))


def _daily(local: datetime, zone: ZoneInfo, overlap: str) -> Iterator[datetime]:
    """A fixed time: at the gap's end where the clock jumps over it; once, or as asked, where it comes twice."""
    readings = [local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)]
    if all(at.astimezone(zone).replace(tzinfo=None) != local for at in readings):
        yield _gap_end(zone, min(readings), max(readings))
    else:
        yield from {"first": readings[:1], "last": readings[1:], "both": readings}[overlap]


def _gap_end(zone: ZoneInfo, low: datetime, high: datetime) -> datetime:
    offsets = [(at, at.astimezone(zone).utcoffset()) for at in _steps(low, high, MINUTE)]
    return next(after[0] for before, after in pairwise(offsets) if before[1] != after[1])


def _days(begin: datetime, end: datetime) -> Iterator[date]:
    return (at.date() for at in _steps(begin - DAY, end + DAY, DAY))


def _steps(at: datetime, end: datetime, by: timedelta) -> Iterator[datetime]:
    while at <= end:
        yield at
        at += by


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
