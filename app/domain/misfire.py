"""What becomes of the occurrences between the one that a job waits for and now."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from app.domain.recurrence import RESOLUTION, Recurrence
from app.domain.run import State, Trigger

GRACE = timedelta(seconds=60)
"""An occurrence that is claimed later than this is a misfire."""

MISSED_ROWS = 100
"""So many missed occurrences have a row each; a longer hole is one span."""

NO_REPLICA = "no replica"


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """One occurrence and its fate: a run that is to be called, or one that is born ended."""

    occurrence: datetime
    trigger: Trigger = Trigger.SCHEDULE
    state: State = State.PENDING
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class PlannedSpan:
    """A hole of `count` occurrences in (after, until]."""

    after: datetime
    until: datetime
    count: int
    reason: str


@dataclass(frozen=True, slots=True)
class Plan:
    """Every occurrence in [first, next) stands in `runs` or in `span`, once; `latest` is the last of them."""

    first: datetime
    latest: datetime
    next: datetime | None
    runs: list[PlannedRun] = field(default_factory=list)
    span: PlannedSpan | None = None


def is_late(first: datetime, now: datetime) -> bool:
    """Whether the occurrence is a misfire, so that planning may walk through a long hole."""
    return now - first > GRACE


def plan(recurrence: Recurrence, first: datetime, now: datetime) -> Plan:
    """Settle what is due from `first` to `now`; `first` itself always counts as due.

    Occurrences within the grace run as they are. Of the misfires before them the latest runs once, as catch-up; the
    others are missed.
    """
    fresh_from = now - GRACE
    runs, span = ([], None) if first >= fresh_from else _misfires(recurrence, first, fresh_from)
    runs += [PlannedRun(at) for at in _walk(recurrence, first, fresh_from, now)]
    latest = runs[-1].occurrence
    return Plan(first, latest, recurrence.next_after(latest), runs, span)


def _walk(recurrence: Recurrence, first: datetime, fresh_from: datetime, until: datetime) -> Iterator[datetime]:
    at = first if first >= fresh_from else recurrence.next_after(fresh_from - RESOLUTION)
    while at is not None and (at <= until or at == first):
        yield at
        at = recurrence.next_after(at)


def _misfires(recurrence: Recurrence, first: datetime, before: datetime) -> tuple[list[PlannedRun], PlannedSpan | None]:
    """What becomes of [first, before): the newest as rows, the rest as a span."""
    newest: list[datetime] = []
    at = recurrence.previous_before(before)
    while at is not None and at > first and len(newest) <= MISSED_ROWS:
        newest.append(at)
        at = recurrence.previous_before(at)
    if len(newest) <= MISSED_ROWS:
        newest.append(first)
    rows = [PlannedRun(at, state=State.MISSED, reason=NO_REPLICA) for at in reversed(newest)]
    rows[-1] = PlannedRun(newest[0], Trigger.CATCH_UP)
    return rows, _hole(recurrence, first, newest[-1])


def _hole(recurrence: Recurrence, first: datetime, kept: datetime) -> PlannedSpan | None:
    """The span of [first, kept), where `kept` is the oldest occurrence that has a row."""
    if kept == first:
        return None
    until = kept - RESOLUTION
    return PlannedSpan(first - RESOLUTION, until, recurrence.count_between(first, until) + 1, NO_REPLICA)
