from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from app.domain.job import DstGap
from app.domain.misfire import (
    DST,
    FRESH_ROWS,
    MAX,
    NO_REPLICA,
    WINDOW,
    Plan,
    PlannedRun,
    PlannedSpan,
    plan,
)
from app.domain.policies import Misfire, MisfirePolicy
from app.domain.recurrence import RESOLUTION, Recurrence
from app.domain.run import State, Trigger
from tests.unit.domain.planning import (
    ALL,
    DAY,
    EACH_MINUTE,
    EACH_SECOND,
    EARLIEST,
    GRACE,
    HOUR,
    LATEST,
    MINUTE,
    NOON,
    ONCE,
    SECOND,
    SKIP,
    calls,
    caught_up,
    missed,
)


@pytest.mark.parametrize("policy", [LATEST, EARLIEST, SKIP])
@pytest.mark.parametrize("misfires", [100, 101, 1000])
def test_the_newest_misfires_have_rows_and_the_older_ones_a_span(policy: MisfirePolicy, misfires: int) -> None:
    now = NOON + (misfires - 1) * MINUTE + GRACE + RESOLUTION
    made = plan(EACH_MINUTE, NOON, now, Misfire(policy=policy))
    assert [run.occurrence for run in made.runs[:100]] == [NOON + n * MINUTE for n in range(misfires - 100, misfires)]
    until = made.runs[0].occurrence - RESOLUTION
    span = PlannedSpan(NOON - RESOLUTION, until, misfires - 100, NO_REPLICA)
    assert made.spans == ([span] if misfires > 100 else [])


def test_where_all_are_caught_up_the_span_says_what_fell_out_of_max() -> None:
    made = plan(EACH_MINUTE, NOON, NOON + 10 * MINUTE + 30 * SECOND, Misfire(policy=ALL, max=3))
    assert calls(made)[:3] == [(Trigger.CATCH_UP, NOON + n * MINUTE) for n in (7, 8, 9)]
    assert made.spans == [PlannedSpan(NOON - RESOLUTION, NOON + 7 * MINUTE - RESOLUTION, 7, MAX)]


def test_where_all_are_caught_up_and_the_hole_straddles_the_window_there_are_two_spans() -> None:
    now, first = NOON + 10 * MINUTE + 30 * SECOND, NOON - RESOLUTION
    edge, until = NOON + 2.5 * MINUTE - RESOLUTION, NOON + 7 * MINUTE - RESOLUTION
    made = plan(EACH_MINUTE, NOON, now, Misfire(policy=ALL, max=3, window_seconds=480))
    assert made.spans == [PlannedSpan(first, edge, 3, WINDOW), PlannedSpan(edge, until, 4, MAX)]
    older = plan(EACH_MINUTE, NOON, now, Misfire(policy=ALL, max=3, window_seconds=100))
    assert older.spans == [PlannedSpan(first, until, 7, WINDOW)]
    assert older.runs[:3] == [*missed([7, 8], WINDOW), *caught_up([9])]


@pytest.mark.parametrize("policy", list(MisfirePolicy))
@pytest.mark.parametrize("grace", [1.0, 60.0, 86400.0])
def test_three_days_of_a_per_second_job_are_few_rows_and_a_count(policy: MisfirePolicy, grace: float) -> None:
    made = plan(EACH_SECOND, NOON, NOON + 3 * DAY, Misfire(policy=policy, grace_seconds=grace, max=1000))
    fresh = int(min(grace + 1, FRESH_ROWS))
    assert sum(span.count for span in made.spans) == 259_200 - grace - 1000
    assert len(made.runs) == 1000 + fresh
    assert made.next == NOON + 3 * DAY + fresh * SECOND - grace * SECOND


def test_a_plan_ends_before_it_is_long_and_the_next_goes_on() -> None:
    misfire, now = Misfire(grace_seconds=7200), NOON + 5000 * SECOND
    first, found = NOON, list[datetime]()
    while first <= now:
        made = plan(EACH_SECOND, first, now, misfire)
        assert len(made.runs) <= FRESH_ROWS
        found += [run.occurrence for run in made.runs]
        first = made.next or now
    assert found == [NOON + n * SECOND for n in range(5001)]


def test_a_first_that_the_schedule_does_not_know_has_its_row_too() -> None:
    """The row of a job may wait for an instant at which its schedule is not due, set before a clock changed."""
    first = NOON + timedelta(seconds=17)
    made = plan(EACH_MINUTE, first, first + 3 * MINUTE)
    assert [run.occurrence for run in made.runs] == [first, NOON + MINUTE, NOON + 2 * MINUTE, NOON + 3 * MINUTE]
    [span] = plan(EACH_MINUTE, first, first + 1000 * MINUTE).spans
    assert (span.after, span.count) == (first - RESOLUTION, 900)


def test_a_job_that_ended_meanwhile_has_its_last_occurrence_and_no_next() -> None:
    ending = Recurrence("* * * * *", ends_at=NOON + 3 * MINUTE)
    made = plan(ending, NOON, NOON + HOUR)
    assert calls(made) == [(Trigger.CATCH_UP, NOON + 3 * MINUTE)]
    assert (len(made.runs), made.latest, made.next) == (4, NOON + 3 * MINUTE, None)


def test_a_job_that_is_due_once_is_caught_up_once_within_the_window() -> None:
    assert plan(ONCE, NOON, NOON + 23 * HOUR) == Plan(NOON, NOON, None, caught_up([0]))
    assert plan(ONCE, NOON, NOON + 25 * HOUR) == Plan(NOON, NOON, None, missed([0], WINDOW))


def test_a_time_that_the_clock_jumps_over_is_told_as_skipped_where_the_job_skips_it() -> None:
    """Berlin, 28 March 2027: from 02:00 to 03:00 local there is nothing."""
    skipping = Recurrence("30 2 * * *", "Europe/Berlin", dst_gap=DstGap.SKIP)
    gap_end, day_before = datetime(2027, 3, 28, 1, tzinfo=UTC), datetime(2027, 3, 27, 1, 30, tzinfo=UTC)
    day_after = datetime(2027, 3, 29, 0, 30, tzinfo=UTC)
    assert plan(skipping, day_before, day_before).next == gap_end
    skipped = PlannedRun(gap_end, state=State.SKIPPED, reason=DST)
    assert plan(skipping, gap_end, gap_end) == Plan(gap_end, gap_end, day_after, [skipped])
    assert plan(skipping, gap_end, gap_end + 2 * HOUR) == Plan(gap_end, gap_end, day_after, [skipped])
    assert plan(skipping, gap_end, gap_end).made == 0
    carried = replace(skipping, dst_gap=DstGap.AFTER)
    assert plan(carried, gap_end, gap_end) == Plan(gap_end, gap_end, day_after, [PlannedRun(gap_end)])


def test_what_is_due_at_the_end_of_a_gap_anyhow_runs_once() -> None:
    gap_end = datetime(2027, 3, 28, 1, tzinfo=UTC)
    skipping = Recurrence("0,30 2,3 * * *", "Europe/Berlin", dst_gap=DstGap.SKIP)
    made = plan(skipping, gap_end, gap_end + 30 * MINUTE, Misfire(grace_seconds=7200))
    assert made.runs == [PlannedRun(gap_end), PlannedRun(gap_end + 30 * MINUTE)]


def test_the_latest_misfire_that_is_caught_up_is_one_that_was_due() -> None:
    first, gap_end = datetime(2027, 3, 27, 1, 30, tzinfo=UTC), datetime(2027, 3, 28, 1, tzinfo=UTC)
    skipping = Recurrence("30 2 * * *", "Europe/Berlin", dst_gap=DstGap.SKIP)
    made = plan(skipping, first, gap_end + 10 * MINUTE, Misfire(window_seconds=172_800))
    assert made.runs == [PlannedRun(first, Trigger.CATCH_UP), PlannedRun(gap_end, state=State.SKIPPED, reason=DST)]
