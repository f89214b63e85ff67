"""Instants, durations and names as sentences have them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from uuid import UUID

from app.domain.history import Version
from app.domain.lifecycle import ENDED
from app.domain.presence import Outage
from app.domain.run import Run

_UNITS = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))
_TOLD_TO_THE_TENTH = timedelta(seconds=60)
_RUN = re.compile(r"run ([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")
_PAST = (
    (re.compile(r"\bis active"), "was active"),
    (re.compile(r"\b1 runs wait already"), "one run waited already"),
    (re.compile(r"\bwait already"), "waited already"),
)


def told(at: datetime) -> str:
    """To the second, in UTC."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def lasting(time: timedelta) -> str:
    """The two largest units: `12 ms`, `4.2 s`, `4 min 10 s`, `3 d 4 h`."""
    if time < timedelta(seconds=1):
        return f"{time // timedelta(milliseconds=1)} ms"
    if time < _TOLD_TO_THE_TENTH:
        return f"{time.total_seconds():.1f} s".replace(".0 s", " s")
    left, parts = int(time.total_seconds()), list[tuple[int, str]]()
    for unit, seconds in _UNITS:
        count, left = divmod(left, seconds)
        parts.append((count, unit))
    first = next(index for index, (count, _) in enumerate(parts) if count)
    return " ".join(f"{count} {unit}" for count, unit in parts[first : first + 2] if count)


def times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def joined(clauses: Iterable[str]) -> str:
    *first, last = clauses
    return f"{', '.join(first)}, and {last}" if first else last


def named(version: Version) -> str:
    """The version with its schedule."""
    return f"version {version.number} ({version.job.schedule}, {version.timezone})"


def schedule_of(version: Version) -> str:
    return f"{version.job.schedule} in {version.timezone}"


def the_run(run: Run) -> str:
    """With the instant that it is for, and when it was active."""
    if run.started_at is None:
        return f"run {run.id} (for {told(run.scheduled_for)})"
    until = f" until {told(run.finished_at)}" if run.state in ENDED and run.finished_at else ""
    return f"run {run.id} (for {told(run.scheduled_for)}, active from {told(run.started_at)}{until})"


def retold(reason: str, runs: Mapping[UUID, Run]) -> str:
    """A reason of the ledger in the past tense, with what is known of the runs that it names."""
    for now, then in _PAST:
        reason = now.sub(then, reason)
    return _RUN.sub(lambda found: the_run(runs[UUID(found[1])]) if UUID(found[1]) in runs else found[0], reason)


def named_runs(reason: str | None) -> list[UUID]:
    return [UUID(each) for each in _RUN.findall(reason or "")]


def nobody(outage: Outage) -> str:
    if outage.end is None:
        since = "" if outage.start is None else f" since {told(outage.start)}"
        return f"no replica is alive{since}"
    if outage.start is None:
        return f"no replica is on record before {told(outage.end)}"
    return f"no replica was alive from {told(outage.start)} to {told(outage.end)}"
