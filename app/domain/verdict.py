"""What becomes of a run when an attempt of it has ended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from app.domain.callback import waits_until
from app.domain.claim import Finished, Started
from app.domain.policies import Delivery, Policies
from app.domain.run import Outcome, State

DEADLINE = "deadline"
"""The reason of a run that was not done with in time."""

DELETED = "deleted"
"""The reason of a run that nobody wants any more."""

DIED = "replica died"
"""The reason of a run that was lost with its replica."""


_TIMER = timedelta(milliseconds=10)
"""So much too early may the timer be that cuts a call at its run's deadline."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Where the run stands now, and why. A run that is pending has its next attempt at `due_at`; None is at once.

    One that waits for its callback does so until `due_at`.
    """

    state: State
    reason: str | None = None
    due_at: datetime | None = None


def verdict(run: Finished, *, cancel_reason: str | None, deleted: bool) -> Verdict:
    """`cancel_reason` and `deleted` are what the ledger says of the run and its job as it is recorded.

    A success stands whatever was asked for meanwhile.
    """
    started = run.started
    if run.outcome is None:
        return cut_off(
            started.policies,
            run.note,
            cancel_reason=cancel_reason,
            deleted=deleted,
            late=_late(started, run.ended_at),
        )
    if run.outcome.succeeded:
        return Verdict(State.SUCCEEDED)
    if cancel_reason is not None:
        return Verdict(State.CANCELED, cancel_reason)
    if _late(started, run.ended_at + _TIMER):
        return Verdict(State.FAILED, DEADLINE)
    completion = started.policies.async_completion
    if run.outcome.accepted and completion is not None:
        until = waits_until(run.ended_at, completion.timeout_seconds, started.deadline_at)
        return Verdict(State.WAITING, due_at=until)
    return Verdict(State.FAILED) if deleted else _again(run, run.outcome)


def cut_off(policies: Policies, note: str, *, cancel_reason: str | None, deleted: bool, late: bool) -> Verdict:
    """Of a call that nobody heard the end of; `late` says whether the run's deadline has passed."""
    if cancel_reason is not None:
        return Verdict(State.CANCELED, cancel_reason)
    if policies.delivery is Delivery.AT_MOST_ONCE:
        return Verdict(State.LOST, note)
    if deleted:
        return Verdict(State.CANCELED, DELETED)
    return Verdict(State.FAILED, DEADLINE) if late else Verdict(State.PENDING)


def _again(run: Finished, outcome: Outcome) -> Verdict:
    """Another attempt, where the policy has one left and there is time for it."""
    started, retry = run.started, run.started.policies.retry
    failures = started.failures + 1
    if failures >= retry.max_attempts or not retry.covers(outcome):
        return Verdict(State.FAILED)
    due_at = run.ended_at + retry.delay(started.call.run_id, failures, outcome.retry_after)
    if retry.max_duration_seconds is not None and due_at > _first(run) + timedelta(seconds=retry.max_duration_seconds):
        return Verdict(State.FAILED)
    return Verdict(State.FAILED, DEADLINE) if _late(started, due_at) else Verdict(State.PENDING, due_at=due_at)


def _first(run: Finished) -> datetime:
    """When the first attempt began."""
    return run.began_at if run.started.call.attempt == 1 else run.started.first_started_at or run.began_at


def _late(started: Started, at: datetime) -> bool:
    return started.deadline_at is not None and at >= started.deadline_at
