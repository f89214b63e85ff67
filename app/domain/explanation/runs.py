"""Instants that have a run."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from app.domain.explanation.delays import causes, held_up, is_late, timing
from app.domain.explanation.facts import Facts, Finding
from app.domain.explanation.missed import missed
from app.domain.explanation.words import lasting, nobody, retold, the_run, times, told
from app.domain.gates import job_of
from app.domain.misfire import DST, EXCLUDED
from app.domain.namespace import OVER_QUOTA
from app.domain.policies import Delivery
from app.domain.restored import RESTORED
from app.domain.run import Run, State, Trigger
from app.domain.verdict import DEADLINE, DELETED

Told = tuple[Finding, str]

MOMENT = timedelta(seconds=10)

_OVERLAP = "overlap: "
_STATES = {
    State.FAILED: Finding.FAILED,
    State.LOST: Finding.LOST,
    State.CANCELED: Finding.CANCELED,
    State.RUNNING: Finding.RUNNING,
    State.WAITING: Finding.WAITING,
    State.PENDING: Finding.PENDING,
}


def of_run(facts: Facts, run: Run) -> Told:
    """The sentences that every run has after its own are those of `beside`."""
    finding, sentence = _told(facts, run)
    return finding, " ".join([sentence, *_late(facts, run), *_beside(facts, run)])


def _told(facts: Facts, run: Run) -> Told:
    match run.state:
        case State.SUCCEEDED:
            return _succeeded(facts, run)
        case State.SKIPPED:
            return Finding.SKIPPED, _skipped(facts, run)
        case State.MISSED:
            return Finding.MISSED, missed(facts, run.reason)
        case State.PENDING:
            return Finding.PENDING, _pending(facts, run)
    ways = {State.RUNNING: _running, State.WAITING: _waiting, State.LOST: _lost, State.CANCELED: _canceled}
    return _STATES[run.state], ways.get(run.state, _failed)(facts, run)


def _succeeded(facts: Facts, run: Run) -> Told:
    began = run.started_at or facts.due
    answer = "" if run.status_code is None else f" with status {run.status_code}"
    took = f" after {lasting(run.finished_at - began)}" if run.finished_at else ""
    ended = f"succeeded{answer}{_attempts(run)}{took}."
    if run.trigger is Trigger.CATCH_UP:
        return Finding.CAUGHT_UP, f"Missed in its time, caught up {lasting(began - facts.at)} later, and {ended}"
    finding = Finding.LATE if is_late(facts, began) else Finding.ON_TIME
    return finding, f"Ran {timing(facts, began)}, and {ended}"


def _failed(facts: Facts, run: Run) -> str:
    late = run.reason == DEADLINE and run.deadline_at is not None
    passed = f"its deadline, {told(run.deadline_at)}, had passed" if late and run.deadline_at else ""
    if run.started_at is None:
        kept = f"; {held_up(facts, run.delayed_by)}" if run.delayed_by else ""
        return f"Failed without a call: {passed or run.reason}{kept}."
    count = "one attempt" if run.attempt == 1 else f"{run.attempt} attempts"
    error = f"{'the last with ' if run.attempt > 1 else ''}{run.error or 'no error told'}"
    return f"{_began(facts, run)}, and failed after {count}, {error}{f'; {passed}' if passed else ''}."


def _lost(facts: Facts, run: Run) -> str:
    if run.reason == RESTORED:
        return (
            f"{_began(facts, run)}, and is lost in attempt {run.attempt}: the ledger was restored from a backup of that"
            " time. Nobody can say what became of the run."
        )
    policy = facts.policies.delivery
    why = f"its delivery is {policy}" if policy is Delivery.AT_MOST_ONCE else "it was taken over too often"
    lost = f"{_began(facts, run)}, and is lost in attempt {run.attempt}: {run.reason}, and {why}."
    return f"{lost} Nobody can say what became of the call."


def _canceled(facts: Facts, run: Run) -> str:
    ended = f" at {told(run.finished_at)}" if run.finished_at else ""
    called = "before it was called" if run.started_at is None else f"after {_attempt_count(run)}"
    if run.reason == DELETED:
        return f"Canceled{ended}, {called}: the job was deleted."
    reason = retold((run.reason or "").removeprefix(_OVERLAP), facts.named)
    by = f"overlap is {facts.policies.overlap}, and " if (run.reason or "").startswith(_OVERLAP) else ""
    return f"Canceled{ended}, {called}: {by}{reason.removeprefix('canceled ')}."


def _running(facts: Facts, run: Run) -> str:
    asked = f" It is to be cut: {retold(run.cancel_reason, facts.named)}." if run.cancel_reason else ""
    since = f" since {told(run.started_at)}" if run.started_at else ""
    began = f", begun {timing(facts, run.started_at)}" if run.started_at and run.trigger is Trigger.SCHEDULE else ""
    return f"Running now{since}{began}, in attempt {run.attempt}, on replica {run.replica}.{asked}"


def _waiting(facts: Facts, run: Run) -> str:
    return f"{_began(facts, run)}, was answered with 202, and waits for the target's callback until {told(run.due_at)}."


def _pending(facts: Facts, run: Run) -> str:
    now = facts.standing.now
    if run.waiting_for is not None:
        why = f"held up: {held_up(facts, run.waiting_for)}"
    elif run.due_at > now:
        why = f"to be called at {told(run.due_at)}, in {lasting(run.due_at - now)}"
    else:
        why = f"to be called at once: {_until_called(facts, run)}"
    if run.attempt:
        error = f", which ended with {run.error}," if run.error else ""
        return f"Pending after {_attempt_count(run)}{error} and {why}."
    jitter = f" Its jitter is {lasting(facts.jitter)}." if facts.jitter and run.due_at > now else ""
    caught_up = " It was missed in its time and is caught up." if run.trigger is Trigger.CATCH_UP else ""
    return f"Pending, {why}.{jitter}{caught_up}"


def _until_called(facts: Facts, run: Run) -> str:
    """What keeps a run waiting that may be called. What delayed it before says nothing of a later attempt."""
    if (outage := facts.outage(run.due_at, facts.standing.now)) and outage.end is None:
        return nobody(outage)
    if run.delayed_by is not None and not run.attempt and job_of(run.delayed_by) is None:
        return held_up(facts, run.delayed_by)
    if facts.standing.now - run.due_at > MOMENT:
        return "a replica is alive, and may have no place for it, or be without the database"
    return "a replica is alive, and calls it in a moment"


def _skipped(facts: Facts, run: Run) -> str:
    reason = run.reason or ""
    if reason == DST:
        return "Skipped: the clock jumped over its local time, and dst_gap is skip."
    if reason.startswith(EXCLUDED):
        return f"Skipped: the job leaves it out by {reason.removeprefix(EXCLUDED)}."
    if reason.startswith(_OVERLAP):
        why = retold(reason.removeprefix(_OVERLAP), facts.named)
        return f"Skipped, as overlap is {facts.policies.overlap}: {why}."
    return f"Skipped: {reason.removeprefix(OVER_QUOTA)}."


def _late(facts: Facts, run: Run) -> Iterator[str]:
    """Why it began late; what is missed or skipped says why itself."""
    if run.started_at is None:
        return
    if run.trigger is Trigger.CATCH_UP or is_late(facts, run.started_at):
        yield f"It began late, since {causes(facts, run.started_at)}."


def _beside(facts: Facts, run: Run) -> Iterator[str]:
    if run.takeovers:
        yield f"It was taken over from a dead replica {times(run.takeovers)}."
    version = facts.version
    if version is None or not version.is_due(facts.at):
        yield "The schedule, as it is read now, is not due at this instant."
    elif version.in_gap(facts.at) and run.reason != DST:
        yield "The clock jumped over its local time, and it was due at the end of the gap."
    if version is not None and run.started_at and run.job_version != version.number:
        yield f"It called the job as it was by then, version {run.job_version}."


_BY_HAND = {Trigger.RETRY: "repeated it", Trigger.BACKFILL: "had it backfilled"}


def by_hand(facts: Facts) -> Iterator[str]:
    for run in facts.by_hand:
        what = _BY_HAND.get(run.trigger, "started the job at this instant")
        yield f"A person {what}: {the_run(run)}, {run.state}."


def _began(facts: Facts, run: Run) -> str:
    if run.started_at is None:
        return "It was not called"
    if run.trigger is Trigger.CATCH_UP:
        return f"Missed in its time, caught up {lasting(_since(facts.at, run.started_at))} later"
    return f"Ran {timing(facts, run.started_at)}"


def _since(at: datetime, began: datetime) -> timedelta:
    return max(began - at, timedelta(0))


def _attempts(run: Run) -> str:
    return "" if run.attempt < 2 else f" in attempt {run.attempt}"  # noqa: PLR2004  # the first is not worth a word


def _attempt_count(run: Run) -> str:
    return "one attempt" if run.attempt == 1 else f"{run.attempt} attempts"
