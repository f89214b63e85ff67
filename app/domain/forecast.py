"""What is due ahead: how often in each minute, over many jobs, as it will run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from heapq import heappop, heappush, heapreplace, nsmallest
from uuid import UUID

from app.domain.errors import InvalidInput
from app.domain.exclusion import NOTHING, Exclusions
from app.domain.policies import Policies
from app.domain.recurrence import RESOLUTION, Recurrence
from app.domain.timing import jitter

MOST_STEPS = 500_000
"""The work that one forecast may make: so many minutes, or single occurrences, of schedules that differ."""

MOST_TOLD = 10
"""How many of the busiest minutes are told, and how many jobs of each."""

_MINUTE = timedelta(minutes=1)
_DEFAULT = Policies()

Counts = Iterator[tuple[datetime, int]]
"""Minutes that ascend, each with how often a job is due in it. A minute may come more than once."""

Tell = Callable[[], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Upcoming:
    """An enabled job. `left` is how many runs its schedule may still make; None is no end."""

    uid: UUID
    name: str
    recurrence: Recurrence
    policies: Policies = _DEFAULT
    exclusions: Exclusions = NOTHING
    left: int | None = None


@dataclass(frozen=True, slots=True)
class BusyMinute:
    """Which jobs make it what it is: the first of them, each with how often it is due."""

    at: datetime
    count: int
    jobs: list[tuple[str, int]]


@dataclass(slots=True)
class Forecast:
    """Of the instants after `start` and before `until`, which is nearer than asked for where it is not `complete`."""

    start: datetime
    until: datetime
    complete: bool = True
    minutes: list[tuple[datetime, int]] = field(default_factory=list)
    busiest: list[BusyMinute] = field(default_factory=list)

    @property
    def total(self) -> int:
        return sum(count for _, count in self.minutes)


class _TooMuch(Exception):
    """The work is used up."""


@dataclass(slots=True)
class _Group:
    """Jobs that are due at the same instants: computed once, and counted `size` times."""

    counts: Counts
    names: list[str]
    size: int


def forecast(jobs: Iterable[Upcoming], start: datetime, until: datetime, most_steps: int = MOST_STEPS) -> Forecast:
    """Minute by minute, all jobs at once: so it can end early, and what it says is whole as far as it goes.

    Too long for an event loop. Jobs of which nobody can say when they are due are left out.
    """
    made = Forecast(start, until)
    groups = _grouped(jobs, start, until - RESOLUTION, _meter(most_steps))
    at = start
    try:
        heap = _first_of(groups)
        while heap:
            at = heap[0][0]
            _add(made, at, _taken(heap, groups, at), groups)
    except _TooMuch:
        made.until, made.complete = max(at, start), False
    made.busiest.sort(key=lambda each: (-each.count, each.at))
    return made


def _meter(steps: int) -> Tell:
    """What is to be called at each step; raises _TooMuch when they are used up."""
    left = steps

    def step() -> None:
        nonlocal left
        if not left:
            raise _TooMuch
        left -= 1

    return step


def _grouped(jobs: Iterable[Upcoming], start: datetime, until: datetime, step: Tell) -> list[_Group]:
    shared: defaultdict[Hashable, list[Upcoming]] = defaultdict(list)
    for job in jobs:
        alone = job.policies.jitter_seconds or job.left is not None
        shared[job.uid if alone else (job.recurrence, job.policies.exclude)].append(job)
    return [
        _Group(_readable(_counts(same[0], start, until, step)), nsmallest(MOST_TOLD, _names(same)), len(same))
        for same in shared.values()
    ]


def _names(jobs: Iterable[Upcoming]) -> Iterator[str]:
    return (job.name for job in jobs)


def _readable(counts: Counts) -> Counts:
    try:
        yield from counts
    except InvalidInput:
        return


def _counts(job: Upcoming, start: datetime, until: datetime, step: Tell) -> Counts:
    if not job.policies.exclude and job.left is None and not job.policies.jitter_seconds:
        yield from _whole_minutes(job.recurrence, start, until, step)
        return
    for at, runs in _delayed(job, _one_by_one(job, start, until, step)):
        if at <= until:
            yield _minute_of(at), int(runs)


def _whole_minutes(recurrence: Recurrence, start: datetime, until: datetime, step: Tell) -> Counts:
    """However often it is due in a minute, that is one step."""
    instants = recurrence.walk(start, until)
    at = next(instants, None)
    while at is not None:
        step()
        minute, count, following = _minute_of(at), 1, next(instants, None)
        end = min(minute + _MINUTE - RESOLUTION, until)
        if following is not None and following <= end:
            count += recurrence.count_between(at, end)
            instants = recurrence.walk(end, until)
            following = next(instants, None)
        yield minute, count
        at = following


def _one_by_one(job: Upcoming, start: datetime, until: datetime, step: Tell) -> Iterator[tuple[datetime, bool]]:
    """Each occurrence until the job has run its course, with whether it runs.

    What doesn't run is told all the same, so that no job is computed far ahead of the others.
    """
    left = job.left
    for at in job.recurrence.walk(start, until):
        if left == 0:
            return
        step()
        runs = job.exclusions.covers(at) is None
        if left is not None:
            left -= runs
        yield at, runs


def _delayed(job: Upcoming, planned: Iterator[tuple[datetime, bool]]) -> Iterator[tuple[datetime, bool]]:
    """With the jitter of each, in order: nothing that is yet to come is earlier than its occurrence."""
    most = timedelta(seconds=job.policies.jitter_seconds)
    if not most:
        yield from planned
        return
    ahead: list[tuple[datetime, bool]] = []
    for at, runs in planned:
        while ahead and ahead[0][0] <= at:
            yield heappop(ahead)
        heappush(ahead, (at + jitter(job.uid, at, most), runs))
    while ahead:
        yield heappop(ahead)


def _minute_of(at: datetime) -> datetime:
    return at.replace(second=0, microsecond=0)


_Heap = list[tuple[datetime, int, int]]
"""(minute, index of the group, count): of each group what comes next."""


def _first_of(groups: Sequence[_Group]) -> _Heap:
    heap: _Heap = []
    for index, group in enumerate(groups):
        if (first := next(group.counts, None)) is not None:
            heappush(heap, (first[0], index, first[1]))
    return heap


def _taken(heap: _Heap, groups: Sequence[_Group], minute: datetime) -> dict[int, int]:
    """How often each group is due in the minute; the heap moves on to what is after it."""
    due: defaultdict[int, int] = defaultdict(int)
    while heap and heap[0][0] == minute:
        _, index, count = heap[0]
        due[index] += count
        if (following := next(groups[index].counts, None)) is None:
            heappop(heap)
        else:
            heapreplace(heap, (following[0], index, following[1]))
    return due


def _add(made: Forecast, minute: datetime, due: dict[int, int], groups: Sequence[_Group]) -> None:
    count = sum(groups[index].size * each for index, each in due.items())
    if not count:
        return
    made.minutes.append((minute, count))
    quietest = min(made.busiest, key=lambda each: (each.count, -each.at.timestamp()), default=None)
    if len(made.busiest) == MOST_TOLD and quietest is not None:
        if count <= quietest.count:
            return
        made.busiest.remove(quietest)
    made.busiest.append(BusyMinute(minute, count, _first_jobs(due, groups)))


def _first_jobs(due: dict[int, int], groups: Sequence[_Group]) -> list[tuple[str, int]]:
    jobs = ((-each, name) for index, each in due.items() if each for name in groups[index].names)
    return [(name, -each) for each, name in nsmallest(MOST_TOLD, jobs)]
