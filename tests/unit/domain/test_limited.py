"""A plan for a job that may make so many more runs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.course import remaining
from app.domain.misfire import Plan, PlannedRun, plan
from app.domain.policies import Misfire, MisfirePolicy, Policies
from app.domain.recurrence import Recurrence
from app.domain.run import State, Trigger

NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
EACH_MINUTE = Recurrence("* * * * *")
FIVE_LATE = NOON + 5.5 * MINUTE


def planned(policy: MisfirePolicy, most: int = 100) -> Plan:
    return plan(EACH_MINUTE, NOON, FIVE_LATE, Misfire(policy=policy, max=most))


@given(st.sampled_from(MisfirePolicy), st.integers(1, 10), st.integers(0, 10))
def test_nothing_is_due_after_the_last_run_that_may_be_made(policy: MisfirePolicy, most: int, left: int) -> None:
    whole = planned(policy, most)
    made = whole.limited(left)
    assert made.made == min(left, whole.made)
    assert made.runs == whole.runs[: len(made.runs)]
    if left > whole.made:
        assert made == whole
    else:
        assert made.next is None
        assert (made.runs[-1].state is State.PENDING) if left else (made.runs, made.spans) == ([], [])
    if made.runs:
        assert (made.first, made.latest, made.spans) == (whole.first, made.runs[-1].occurrence, whole.spans)


def test_what_is_missed_before_the_last_run_has_its_row_and_what_comes_after_has_none() -> None:
    latest = planned(MisfirePolicy.LATEST).limited(1)
    assert [run.state for run in latest.runs] == [State.MISSED] * 4 + [State.PENDING]
    earliest = planned(MisfirePolicy.EARLIEST).limited(1)
    assert earliest == Plan(NOON, NOON, None, [PlannedRun(NOON, Trigger.CATCH_UP)])


def test_without_a_limit_a_plan_is_whole() -> None:
    whole = planned(MisfirePolicy.ALL)
    assert whole.limited(None) is whole


@pytest.mark.parametrize(("most", "made", "left"), [(None, 5, None), (3, 0, 3), (3, 2, 1), (3, 3, 0), (3, 9, 0)])
def test_what_remains_is_never_less_than_nothing(most: int | None, made: int, left: int | None) -> None:
    assert remaining(Policies(max_runs=most), made) == left
