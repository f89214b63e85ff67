from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from faults.check import Found, check
from faults.due import due
from faults.facts import Attempt, Call, Facts, Job, Offsets, Run, Span

FIRST = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
END = FIRST + timedelta(seconds=4)
JOB = Job(UUID(int=1), "job", 1, FIRST)


def facts(job: Job = JOB) -> Facts:
    """All is well: each instant has a run, one attempt and one call."""
    runs = [run(at, job) for at in due(job, END)]
    return Facts(
        end=END,
        jobs=[job],
        runs=runs,
        attempts=[ended(each.id, 1, 1, "succeeded") for each in runs],
        spans=[],
        calls=[call(each) for each in runs],
    )


def ended(run_id: UUID, fence: int, attempt: int, outcome: str) -> Attempt:
    return Attempt(run_id, fence, attempt, outcome, discarded=False)


def run(at: datetime, job: Job = JOB) -> Run:
    return Run(uuid4(), job.uid, at, "schedule", "succeeded", None, 1, 1, 0, UUID(int=9))


def call(made: Run, attempt: int = 1, late: float = 0.1) -> Call:
    return Call(made.scheduled_for.timestamp() + late, made.id, attempt, made.scheduled_for, "schedule")


def with_run(good: Facts, **changed: Any) -> Facts:
    """The first run is another one."""
    return replace(good, runs=[replace(good.runs[0], **changed), *good.runs[1:]])


def kinds(found: Found) -> set[str]:
    return {kind for kind, count in found.counts().items() if count}


def test_what_is_as_it_should_be_has_nothing_wrong() -> None:
    found = check(facts())
    assert kinds(found) == set()
    assert [round(late, 3) for _, late in found.lags] == [0.1] * 5


def test_due_instants_are_the_multiples_of_the_seconds_from_the_first_on() -> None:
    job = Job(UUID(int=1), "job", 5, FIRST + timedelta(seconds=1))
    assert due(job, FIRST + timedelta(seconds=15)) == [FIRST + timedelta(seconds=at) for at in (5, 10, 15)]


def test_a_job_that_was_made_a_moment_after_an_instant_is_due_at_the_next() -> None:
    job = replace(JOB, first=FIRST + timedelta(milliseconds=1))
    assert due(job, FIRST + timedelta(seconds=1.5)) == [FIRST + timedelta(seconds=1)]


def test_a_deleted_row_is_unaccounted_for_and_its_call_unknown() -> None:
    good = facts()
    assert kinds(check(replace(good, runs=good.runs[1:]))) == {"unaccounted", "repeated"}


def test_a_span_that_covers_what_was_due_is_missed_and_one_that_covers_a_run_too_is_a_duplicate() -> None:
    good = facts()
    span = Span(JOB.uid, FIRST - timedelta(seconds=1), FIRST, "no replica", 1)
    without = replace(good, runs=good.runs[1:], attempts=good.attempts[1:], calls=good.calls[1:])
    assert kinds(check(replace(without, spans=[span]))) == {"missed"}
    assert kinds(check(replace(good, spans=[span]))) == {"missed", "duplicated"}


def test_a_second_run_of_an_instant_is_a_duplicate() -> None:
    good = facts()
    other = run(FIRST)
    attempts = [*good.attempts, ended(other.id, 1, 1, "succeeded")]
    doubled = replace(good, runs=[*good.runs, other], attempts=attempts, calls=[*good.calls, call(other)])
    assert kinds(check(doubled)) == {"duplicated"}


def test_a_run_at_an_instant_that_was_not_due_is_told() -> None:
    good = facts()
    moved = with_run(good, scheduled_for=FIRST + timedelta(milliseconds=500))
    assert kinds(check(moved)) == {"unaccounted", "duplicated"}


@pytest.mark.parametrize("state", ["missed", "skipped", "lost", "failed", "canceled"])
def test_a_run_that_was_never_called_to_its_end_is_missed(state: str) -> None:
    good = with_run(facts(), state=state)
    assert "missed" in kinds(check(replace(good, calls=good.calls[1:], attempts=good.attempts[1:])))


def test_a_success_without_a_call_is_missed() -> None:
    good = facts()
    assert kinds(check(replace(good, calls=good.calls[1:]))) == {"missed"}


def test_a_lost_run_is_in_order_where_at_most_one_call_was_asked_for() -> None:
    good = with_run(facts(replace(JOB, at_most_once=True)), state="lost")
    lost = replace(good, attempts=[replace(good.attempts[0], outcome="lost"), *good.attempts[1:]])
    found = check(lost)
    assert kinds(found) == set()
    assert found.lost == 1


def test_an_attempt_that_came_twice_is_repeated_without_a_flag() -> None:
    good = facts()
    assert kinds(check(replace(good, calls=[*good.calls, good.calls[0]]))) == {"repeated"}


def test_a_call_that_the_ledger_does_not_know_is_repeated_without_a_flag() -> None:
    good = facts()
    assert kinds(check(replace(good, calls=[*good.calls, call(good.runs[0], attempt=2)]))) == {"repeated"}


def test_a_second_call_is_in_order_where_the_ledger_tells_of_it() -> None:
    good = with_run(facts(), attempt=2, fence=2)
    first = good.runs[0]
    attempts = [
        ended(first.id, 1, 1, "lost"),
        ended(first.id, 2, 2, "succeeded"),
        *good.attempts[1:],
    ]
    found = check(replace(good, attempts=attempts, calls=[*good.calls, call(first, attempt=2)]))
    assert kinds(found) == set()
    assert found.called_again == 1
    assert len(found.lags) == 5


def test_a_second_call_is_never_in_order_where_at_most_one_was_asked_for() -> None:
    job = replace(JOB, at_most_once=True)
    good = facts(job)
    attempts = [*good.attempts, ended(good.runs[0].id, 2, 2, "lost")]
    doubled = replace(good, attempts=attempts, calls=[*good.calls, call(good.runs[0], attempt=2)])
    assert kinds(check(doubled)) == {"repeated"}


def test_a_call_before_its_instant_is_early() -> None:
    good = facts()
    assert kinds(check(replace(good, calls=[call(good.runs[0], late=-0.01), *good.calls[1:]]))) == {"early"}


def test_early_and_late_are_told_by_the_clock_of_the_database() -> None:
    good = facts()
    assert kinds(check(replace(good, offsets=Offsets([(0.0, -300.0)])))) == {"early"}
    ahead = check(replace(good, offsets=Offsets([(0.0, 300.0)])))
    assert [round(late) for _, late in ahead.lags] == [300] * 5


def test_a_call_that_was_on_its_way_when_the_clock_was_put_back_is_not_early() -> None:
    good = facts()
    step = good.calls[4].at - 0.01
    assert kinds(check(replace(good, offsets=Offsets([(0.0, 0.0), (step, -3600.0)])))) == set()


@pytest.mark.parametrize("state", ["pending", "running", "waiting"])
def test_a_run_that_goes_on_long_after_the_end_is_stuck(state: str) -> None:
    good = with_run(facts(), state=state)
    assert kinds(check(replace(good, attempts=good.attempts[1:]))) == {"stuck"}


def test_a_job_that_waits_for_an_instant_that_is_over_is_stuck() -> None:
    assert kinds(check(replace(facts(), waiting=["job"]))) == {"stuck"}


def test_a_result_of_an_older_fence_that_counts_is_a_zombies_write() -> None:
    good = with_run(facts(), attempt=2, fence=2)
    attempts = [*good.attempts, ended(good.runs[0].id, 2, 2, "lost")]
    assert kinds(check(replace(good, attempts=attempts))) == {"zombie"}


def test_a_result_of_an_older_fence_that_was_discarded_is_in_order() -> None:
    good = with_run(facts(), attempt=2, fence=2)
    first = good.runs[0]
    attempts = [
        replace(good.attempts[0], discarded=True),
        ended(first.id, 2, 2, "succeeded"),
        *good.attempts[1:],
    ]
    assert kinds(check(replace(good, attempts=attempts, calls=[*good.calls, call(first, attempt=2)]))) == set()


def test_kinds_that_a_fault_may_cause_are_left_out_of_what_is_wrong() -> None:
    good = facts()
    found = check(replace(good, calls=good.calls[1:]))
    assert found.wrong() == [f"missed: job at 12:00:00: run {good.runs[0].id} is succeeded (None), with 0 calls"]
    assert found.wrong(besides=["missed"]) == []
