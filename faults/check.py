"""Whether the ledger and the calls are what was due: each kind of wrong, with the instants and rows that show it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from operator import attrgetter
from typing import TypeVar
from uuid import UUID

from faults.due import due
from faults.facts import Attempt, Call, Facts, Job, Run, Span

_Row = TypeVar("_Row", Run, Span)

ENDED = {"succeeded", "failed", "canceled", "skipped", "missed", "lost"}
_STEP = 1.0
"""Seconds after a step of the database's clock in which a call may come that was started before it."""


@dataclass
class Found:
    """One line for each wrong. `lags` has (when it came, seconds late) of each first call."""

    unaccounted: list[str] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)
    duplicated: list[str] = field(default_factory=list)
    repeated: list[str] = field(default_factory=list)
    early: list[str] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)
    zombie: list[str] = field(default_factory=list)
    lags: list[tuple[float, float]] = field(default_factory=list)
    called_again: int = 0
    lost: int = 0

    def counts(self) -> dict[str, int]:
        kinds = ("unaccounted", "missed", "duplicated", "repeated", "early", "stuck", "zombie")
        return {kind: len(getattr(self, kind)) for kind in kinds}

    def wrong(self, *, besides: Iterable[str] = ()) -> list[str]:
        """All lines but those of the kinds that the fault is allowed to cause."""
        kinds = self.counts().keys() - set(besides)
        return [f"{kind}: {line}" for kind in sorted(kinds) for line in getattr(self, kind)]


def check(facts: Facts) -> Found:
    found = Found()
    calls = _by_run(facts.calls)
    runs = _by_job(facts.runs)
    spans = _by_job(facts.spans)
    for job in facts.jobs:
        covering = spans.get(job.uid, [])
        held = _by_instant(runs.get(job.uid, []))
        _account(found, job, due(job, facts.end), held, covering)
        for run in (run for at, each in held.items() if at <= facts.end for run in each):
            _check_fate(found, job, run, calls.get(run.id, []))
    _check_calls(found, facts, calls)
    _check_attempts(found, facts)
    found.stuck += [f"job {name} still waits for an instant that is over" for name in facts.waiting]
    return found


def _account(
    found: Found, job: Job, listed: list[datetime], held: Mapping[datetime, list[Run]], spans: list[Span]
) -> None:
    for at in listed:
        runs, told = held.get(at, []), f"{job.name} at {at:%H:%M:%S}"
        covering = [span for span in spans if span.after < at and (span.until is None or at <= span.until)]
        if not runs and not covering:
            found.unaccounted.append(f"{told} has neither run nor span")
        if len(runs) + len(covering) > 1:
            found.duplicated.append(f"{told} has {len(runs)} runs and {len(covering)} spans")
        found.missed += [f"{told}: {span.reason}" for span in covering]
    beside = [at for at in held.keys() - set(listed) if not listed or at <= listed[-1]]
    found.duplicated += [f"{job.name} has a run for {at:%H:%M:%S.%f}, which was not due" for at in beside]


def _by_instant(runs: list[Run]) -> dict[datetime, list[Run]]:
    """What the schedule made: nobody triggers a run by hand here."""
    found: dict[datetime, list[Run]] = defaultdict(list)
    for run in runs:
        if run.trigger in ("schedule", "catch_up"):
            found[run.scheduled_for].append(run)
    return found


def _check_fate(found: Found, job: Job, run: Run, calls: list[Call]) -> None:
    told = f"{job.name} at {run.scheduled_for:%H:%M:%S}: run {run.id} is {run.state}"
    if run.state not in ENDED:
        found.stuck.append(f"{told}, attempt {run.attempt}, owner {run.owner}")
        return
    found.lost += run.state == "lost"
    allowed = (run.state == "lost" and job.at_most_once) or (run.state == "failed" and job.may_fail)
    if not allowed and (run.state != "succeeded" or not calls):
        found.missed.append(f"{told} ({run.reason}), with {len(calls)} calls")
    if job.at_most_once and len(calls) > 1:
        found.repeated.append(f"{told}, at most once, with {len(calls)} calls")


def _check_calls(found: Found, facts: Facts, calls: Mapping[UUID, list[Call]]) -> None:
    attempts: dict[UUID, set[int]] = defaultdict(set)
    for attempt in facts.attempts:
        attempts[attempt.run].add(attempt.attempt)
    runs = {run.id: run for run in facts.runs}
    for key, made in calls.items():
        found.called_again += len(made) > 1
        found.repeated += _unflagged(key, made, attempts[key], runs.get(key))
        for call in made:
            late = facts.offsets.database_time(call.at) - call.scheduled_for.timestamp()
            before = facts.offsets.database_time(call.at - _STEP) + _STEP - call.scheduled_for.timestamp()
            if max(late, before) < 0:
                found.early.append(f"run {key} for {call.scheduled_for:%H:%M:%S} was called {-late:.3f} s early")
            if call is made[0]:
                found.lags.append((call.at, late))


def _unflagged(key: UUID, made: list[Call], known: set[int], run: Run | None) -> Iterator[str]:
    """Attempts that came twice, or that the ledger does not know: of a run that goes on, its own is not told yet."""
    if run is None:
        yield f"run {key} was called {len(made)} times, and is not in the ledger"
        return
    if run.state not in ENDED:
        known = known | {run.attempt}
    for attempt, times in Counter(call.attempt for call in made).items():
        if times > 1:
            yield f"run {key}: attempt {attempt} was called {times} times"
        if attempt not in known:
            yield f"run {key}: attempt {attempt} was called, and the ledger has the attempts {sorted(known)}"


def _check_attempts(found: Found, facts: Facts) -> None:
    """What does not fail is not retried, so that a result which counts ends its run, and nothing comes after it."""
    counted: dict[UUID, list[Attempt]] = defaultdict(list)
    for attempt in facts.attempts:
        if attempt.outcome in ("succeeded", "failed") and not attempt.discarded:
            counted[attempt.run].append(attempt)
    judged = {job.uid for job in facts.jobs if not job.may_fail}
    for run in (each for each in facts.runs if each.job in judged):
        for attempt in counted[run.id]:
            if attempt.fence != run.fence or run.state != attempt.outcome:
                found.zombie.append(
                    f"run {run.id} took the result of fence {attempt.fence}, and is {run.state} at fence {run.fence}"
                )


def _by_run(calls: Iterable[Call]) -> dict[UUID, list[Call]]:
    found: dict[UUID, list[Call]] = defaultdict(list)
    for call in sorted(calls, key=attrgetter("at")):
        found[call.key].append(call)
    return found


def _by_job(rows: Iterable[_Row]) -> dict[UUID, list[_Row]]:
    found: dict[UUID, list[_Row]] = defaultdict(list)
    for row in rows:
        found[row.job].append(row)
    return found
