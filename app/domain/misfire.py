"""What becomes of the occurrences between the one that a job waits for and now."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from typing import assert_never
from uuid import UUID

from app.domain.exclusion import NOTHING, Exclusions
from app.domain.identity import occurrence_id
from app.domain.notice import Event, News
from app.domain.policies import Misfire, MisfirePolicy
from app.domain.recurrence import RESOLUTION, Recurrence
from app.domain.run import State, Trigger

ON_TIME = timedelta(seconds=60)
"""What has been due for longer is late, however long the grace of its job: its plan may take a while."""

FRESH_ROWS = 1000
"""So many occurrences within the grace stand in one plan; the next one goes on where it ends."""

SKIPPED_ROWS = 1500
"""So many misfires that were not to run anyhow have rows beside those that count: a day of minutes has 1,440."""

NO_REPLICA, WINDOW, MAX = "no replica", "window", "max"
DST = "dst: the clock jumped over it"
EXCLUDED = "excluded: "

_DEFAULT = Misfire()


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
    """Every occurrence in [first, next) stands in `runs` or in `spans`, once; `latest` is the last of them.

    Both ascend, and the spans come first. `next` may be due already, for another plan.
    """

    first: datetime
    latest: datetime
    next: datetime | None
    runs: list[PlannedRun] = field(default_factory=list)
    spans: list[PlannedSpan] = field(default_factory=list)

    @property
    def made(self) -> int:
        """How many of the runs count against `max_runs`: those that are to be called."""
        return sum(run.state is State.PENDING for run in self.runs)

    def missed(self, job_id: UUID) -> News | None:
        """What there is to tell of an outage: how many it cost, and the last of them that has a row."""
        rows = [run for run in self.runs if run.state is State.MISSED]
        count = len(rows) + sum(span.count for span in self.spans)
        if not count:
            return None
        news = News(event=Event.MISSED, state=State.MISSED, reason=(rows or self.spans)[-1].reason, count=count)
        at = rows[-1].occurrence if rows else None
        return news if at is None else replace(news, run_id=occurrence_id(job_id, at), scheduled_for=at)

    def limited(self, remaining: int | None) -> Plan:
        """The plan for a job that may make so many more runs: after the last of them nothing is due."""
        if remaining is None or self.made < remaining:
            return self
        if remaining <= 0:
            return Plan(self.first, self.first, None)
        pending = (index for index, run in enumerate(self.runs, start=1) if run.state is State.PENDING)
        kept = self.runs[: next(islice(pending, remaining - 1, None))]
        return replace(self, latest=kept[-1].occurrence, next=None, runs=kept)


def is_late(first: datetime, now: datetime, misfire: Misfire = _DEFAULT) -> bool:
    """Whether planning may walk through a long hole: the occurrence is a misfire, or within a grace of hours."""
    return now - first > min(timedelta(seconds=misfire.grace_seconds), ON_TIME)


def plan(
    recurrence: Recurrence,
    first: datetime,
    now: datetime,
    misfire: Misfire = _DEFAULT,
    exclusions: Exclusions = NOTHING,
) -> Plan:
    """Settle what is due from `first` to `now`; `first` itself always counts as due.

    Occurrences within the grace run as they are. Of the misfires before them the newest `max` have a row each, and the
    policy says which of these run as catch-up; the others are missed. What is excluded is neither, and takes the place
    of none. Raises InvalidInput.
    """
    fresh_from = now - timedelta(seconds=misfire.grace_seconds)
    why_not = partial(_why_skipped, recurrence, exclusions)
    runs, spans = ([], []) if first >= fresh_from else _misfires(recurrence, first, now, misfire, why_not)
    whole = recurrence.accounted()
    fresh = islice(_walk(whole, first, fresh_from, now), FRESH_ROWS)
    runs += [_skipped(at, reason) if (reason := why_not(at)) else PlannedRun(at) for at in fresh]
    latest = runs[-1].occurrence
    return Plan(first, latest, whole.next_after(latest), runs, spans)


def _walk(whole: Recurrence, first: datetime, fresh_from: datetime, until: datetime) -> Iterator[datetime]:
    at = first if first >= fresh_from else whole.next_after(fresh_from - RESOLUTION)
    while at is not None and (at <= until or at == first):
        yield at
        at = whole.next_after(at)


def _why_skipped(recurrence: Recurrence, exclusions: Exclusions, at: datetime) -> str | None:
    if recurrence.skips(at):
        return DST
    which = exclusions.covers(at)
    return None if which is None else f"{EXCLUDED}{which}"


def _skipped(at: datetime, reason: str) -> PlannedRun:
    return PlannedRun(at, state=State.SKIPPED, reason=reason)


def _misfires(
    recurrence: Recurrence, first: datetime, now: datetime, misfire: Misfire, why_not: Callable[[datetime], str | None]
) -> tuple[list[PlannedRun], list[PlannedSpan]]:
    """What becomes of [first, now - grace): the newest as rows, the rest as spans."""
    window_from = now - timedelta(seconds=misfire.window_seconds)
    whole, before = recurrence.accounted(), now - timedelta(seconds=misfire.grace_seconds)
    newest = _newest(_backwards(whole, first, before), misfire.max, why_not)
    caught_up = _caught_up(misfire.policy, [at for at, reason in newest if at >= window_from and reason is None])
    rows = [_skipped(at, reason) if reason else _misfire(at, window_from, caught_up) for at, reason in newest]
    return rows, _holes(whole, first, newest[0][0], window_from, misfire.policy)


def _newest(
    misfires: Iterator[datetime], most: int, why_not: Callable[[datetime], str | None]
) -> list[tuple[datetime, str | None]]:
    """The last `most` that were to run, ascending, and what is skipped between and after them, with why."""
    found: list[tuple[datetime, str | None]] = []
    for at in islice(misfires, most + SKIPPED_ROWS):
        found.append((at, why_not(at)))
        most -= found[-1][1] is None
        if not most:
            break
    return found[::-1]


def _backwards(whole: Recurrence, first: datetime, before: datetime) -> Iterator[datetime]:
    """Of [first, before), the last one first."""
    at = whole.previous_before(before)
    while at is not None and at > first:
        yield at
        at = whole.previous_before(at)
    yield first


def _caught_up(policy: MisfirePolicy, misfires: Sequence[datetime]) -> Collection[datetime]:
    match policy:
        case MisfirePolicy.LATEST:
            return misfires[-1:]
        case MisfirePolicy.EARLIEST:
            return misfires[:1]
        case MisfirePolicy.ALL:
            return frozenset(misfires)
        case MisfirePolicy.SKIP:
            return ()
    assert_never(policy)


def _misfire(at: datetime, window_from: datetime, caught_up: Collection[datetime]) -> PlannedRun:
    if at in caught_up:
        return PlannedRun(at, Trigger.CATCH_UP)
    return PlannedRun(at, state=State.MISSED, reason=WINDOW if at < window_from else NO_REPLICA)


def _holes(
    whole: Recurrence, first: datetime, kept: datetime, window_from: datetime, policy: MisfirePolicy
) -> list[PlannedSpan]:
    """The spans of [first, kept), where `kept` is the oldest occurrence that has a row.

    Where all were to be caught up, they tell what these fell out of.
    """
    after, until = first - RESOLUTION, kept - RESOLUTION
    if policy is not MisfirePolicy.ALL:
        return _span(whole, first, after, until, NO_REPLICA)
    edge = max(after, min(window_from - RESOLUTION, until))
    return _span(whole, first, after, edge, WINDOW) + _span(whole, first, edge, until, MAX)


def _span(whole: Recurrence, first: datetime, after: datetime, until: datetime, reason: str) -> list[PlannedSpan]:
    """None where it would hold nothing; `first` counts, also where the schedule doesn't know it."""
    count = whole.count_between(max(after, first), until) + (after < first <= until)
    return [PlannedSpan(after, until, count, reason)] if count else []
