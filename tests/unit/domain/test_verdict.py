from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.claim import Finished, Started
from app.domain.lifecycle import require
from app.domain.policies import AsyncCompletion, Delivery, Policies
from app.domain.retry import Retry
from app.domain.run import Call, Outcome, State, Trigger
from app.domain.verdict import Verdict, verdict

NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)
SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)
ENDED = NOON + SECOND

OK = Outcome(error=None, status_code=200)
BUSY = Outcome(error="status 503", status_code=503)
WRONG = Outcome(error="status 400", status_code=400)
EVEN = Retry(jitter=False)
ACCEPTED = Outcome(error=None, status_code=202, accepted=True)
LATER = AsyncCompletion(timeout_seconds=600)
_OF_THE_JOB = ("retry", "delivery", "async_completion")


def attempt(outcome: Outcome | None, number: int = 1, failures: int | None = None, **facts: Any) -> Finished:
    """One that began at noon and took a second."""
    call = Call(
        run_id=UUID(int=1),
        job_id=UUID(int=2),
        job_name="job",
        job_version=1,
        scheduled_for=NOON,
        trigger=Trigger.SCHEDULE,
        attempt=number,
        endpoint="http://one.example/",
        method="POST",
        headers={},
        body=None,
        timeout_seconds=30,
    )
    policies = Policies(**{"retry": EVEN} | {name: facts.pop(name) for name in _OF_THE_JOB if name in facts})
    failed = number - 1 if failures is None else failures
    started = Started(call, NOON, number, "one.example:80", NOON, policies=policies, failures=failed, **facts)
    return Finished(started, outcome, NOON, ENDED, "cut off: the replica was shut down")


def judge(run: Finished, *, cancel_reason: str | None = None, deleted: bool = False) -> Verdict:
    return verdict(run, cancel_reason=cancel_reason, deleted=deleted)


def test_a_success_is_a_success() -> None:
    assert judge(attempt(OK)) == Verdict(State.SUCCEEDED)


def test_a_success_stands_whatever_was_asked_for_meanwhile() -> None:
    late = attempt(OK, deadline_at=NOON)
    assert judge(late, cancel_reason="canceled by hand", deleted=True) == Verdict(State.SUCCEEDED)


def test_a_failure_is_tried_again_after_the_backoff() -> None:
    assert judge(attempt(BUSY)) == Verdict(State.PENDING, due_at=ENDED + 5 * SECOND)
    assert judge(attempt(BUSY, 2)) == Verdict(State.PENDING, due_at=ENDED + 10 * SECOND)


def test_the_last_attempt_that_fails_is_the_runs_failure() -> None:
    assert judge(attempt(BUSY, 3)) == Verdict(State.FAILED)
    assert judge(attempt(BUSY, retry=Retry(max_attempts=1))) == Verdict(State.FAILED)


def test_what_the_policy_does_not_cover_fails_at_once() -> None:
    assert judge(attempt(WRONG)) == Verdict(State.FAILED)


def test_an_attempt_that_was_cut_off_is_not_one_that_failed() -> None:
    assert judge(attempt(BUSY, 5, failures=0)).due_at == ENDED + 5 * SECOND
    assert judge(attempt(BUSY, 5, failures=2)) == Verdict(State.FAILED)


def test_retry_after_is_obeyed() -> None:
    asked = replace(BUSY, retry_after=90 * SECOND)
    assert judge(attempt(asked)).due_at == ENDED + 90 * SECOND


@pytest.mark.parametrize(("seconds", "state"), [(5.9, State.FAILED), (6, State.PENDING)])
def test_no_attempt_is_due_after_max_duration_since_the_first_began(seconds: float, state: State) -> None:
    retry = replace(EVEN, max_duration_seconds=seconds)
    assert judge(attempt(BUSY, retry=retry)).state is state
    earlier = attempt(BUSY, 2, failures=0, retry=retry, first_started_at=NOON - HOUR)
    assert judge(earlier) == Verdict(State.FAILED)


def test_the_start_of_a_first_attempt_is_when_it_began() -> None:
    """Not when an earlier one was started that was handed back and never called."""
    retry = replace(EVEN, max_duration_seconds=60)
    assert judge(attempt(BUSY, retry=retry, first_started_at=NOON - HOUR)).state is State.PENDING


@pytest.mark.parametrize(
    ("deadline", "became"),
    [
        (ENDED + 6 * SECOND, Verdict(State.PENDING, due_at=ENDED + 5 * SECOND)),
        (ENDED + 5 * SECOND, Verdict(State.FAILED, "deadline")),
        (ENDED, Verdict(State.FAILED, "deadline")),
    ],
)
def test_no_attempt_is_due_after_the_deadline(deadline: datetime, became: Verdict) -> None:
    assert judge(attempt(BUSY, deadline_at=deadline)) == became


def test_a_failure_after_the_deadline_says_so_whether_or_not_it_would_be_tried_again() -> None:
    assert judge(attempt(WRONG, deadline_at=ENDED)) == Verdict(State.FAILED, "deadline")
    assert judge(attempt(BUSY, 3, deadline_at=ENDED)) == Verdict(State.FAILED, "deadline")


def test_a_timer_that_cut_the_call_a_little_early_was_the_deadlines() -> None:
    """Timers of milliseconds may be."""
    soon = ENDED + timedelta(milliseconds=3)
    assert judge(attempt(Outcome(error="timeout after 2 s"), 3, deadline_at=soon)) == Verdict(State.FAILED, "deadline")


def test_a_failure_in_time_that_is_not_tried_again_is_not_the_deadlines() -> None:
    assert judge(attempt(WRONG, deadline_at=ENDED + SECOND)) == Verdict(State.FAILED)


def test_a_call_that_was_cut_off_is_made_again_at_once() -> None:
    assert judge(attempt(None)) == Verdict(State.PENDING)
    assert judge(attempt(None, 9, failures=2)) == Verdict(State.PENDING)


def test_what_may_be_made_once_is_lost_when_it_is_cut_off() -> None:
    cut = attempt(None, delivery=Delivery.AT_MOST_ONCE)
    lost = Verdict(State.LOST, "cut off: the replica was shut down")
    assert judge(cut) == judge(cut, deleted=True) == lost


def test_what_may_be_made_once_and_was_answered_is_tried_again() -> None:
    assert judge(attempt(BUSY, delivery=Delivery.AT_MOST_ONCE)).state is State.PENDING


def test_a_call_that_was_cut_off_after_the_deadline_is_not_made_again() -> None:
    assert judge(attempt(None, deadline_at=ENDED)) == Verdict(State.FAILED, "deadline")


@pytest.mark.parametrize("outcome", [None, BUSY, WRONG])
@pytest.mark.parametrize("delivery", list(Delivery))
def test_a_cancel_ends_whatever_did_not_succeed(outcome: Outcome | None, delivery: Delivery) -> None:
    run = attempt(outcome, delivery=delivery, deadline_at=NOON)
    reason = "overlap: run 7 took over"
    assert judge(run, cancel_reason=reason) == Verdict(State.CANCELED, reason)


def test_nothing_is_tried_again_for_a_job_that_is_deleted() -> None:
    assert judge(attempt(BUSY), deleted=True) == Verdict(State.FAILED)
    assert judge(attempt(None), deleted=True) == Verdict(State.CANCELED, "deleted")


@given(
    outcome=st.sampled_from([None, OK, BUSY, WRONG, replace(BUSY, retry_after=HOUR)]),
    number=st.integers(1, 200),
    cut=st.integers(0, 200),
    delivery=st.sampled_from(Delivery),
    deadline=st.none() | st.integers(-100, 10_000).map(lambda seconds: NOON + seconds * SECOND),
    retry=st.builds(Retry, max_attempts=st.integers(1, 5), max_duration_seconds=st.none() | st.floats(0.1, 10_000)),
    cancel_reason=st.none() | st.just("canceled by hand"),
    deleted=st.booleans(),
)
def test_every_verdict_is_a_legal_next_state_in_time(
    *,
    outcome: Outcome | None,
    number: int,
    cut: int,
    delivery: Delivery,
    deadline: datetime | None,
    retry: Retry,
    cancel_reason: str | None,
    deleted: bool,
) -> None:
    run = attempt(outcome, number, max(number - 1 - cut, 0), delivery=delivery, deadline_at=deadline, retry=retry)
    became = judge(run, cancel_reason=cancel_reason, deleted=deleted)
    require(State.RUNNING, became.state)
    if became.state is State.PENDING:
        due_at = became.due_at or ENDED
        assert due_at >= ENDED
        assert deadline is None or due_at < deadline
        assert not deleted
        assert cancel_reason is None
    else:
        assert became.due_at is None


def test_what_was_accepted_waits_for_its_callback() -> None:
    run = attempt(ACCEPTED, async_completion=LATER)
    assert judge(run) == Verdict(State.WAITING, due_at=ENDED + 600 * SECOND)
    assert judge(run, deleted=True).state is State.WAITING


def test_it_waits_no_longer_than_its_deadline() -> None:
    run = attempt(ACCEPTED, async_completion=LATER, deadline_at=ENDED + 5 * SECOND)
    assert judge(run) == Verdict(State.WAITING, due_at=ENDED + 5 * SECOND)
    late = attempt(ACCEPTED, async_completion=LATER, deadline_at=ENDED)
    assert judge(late) == Verdict(State.FAILED, "deadline")


def test_what_was_accepted_and_is_to_be_canceled_waits_for_nothing() -> None:
    run = attempt(ACCEPTED, async_completion=LATER)
    assert judge(run, cancel_reason="canceled by hand") == Verdict(State.CANCELED, "canceled by hand")


def test_what_a_callback_says_failed_is_tried_again_only_where_the_policy_says_so() -> None:
    said = Outcome(error="callback: the disk is full", status_code=202)
    assert judge(attempt(said)) == Verdict(State.FAILED)
    assert judge(attempt(said, retry=replace(EVEN, on=("callback",)))).state is State.PENDING
