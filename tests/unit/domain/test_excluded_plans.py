from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.exclude import Days, InCalendar, Interval
from app.domain.exclusion import Exclusions, Listed, resolve
from app.domain.misfire import NO_REPLICA, SKIPPED_ROWS, Plan, plan
from app.domain.policies import Misfire, MisfirePolicy
from app.domain.recurrence import Recurrence
from app.domain.run import State, Trigger

DAILY = Recurrence("0 12 * * *")
DAY, SECOND = timedelta(days=1), timedelta(seconds=1)
NOON = datetime(2027, 12, 20, 12, tzinfo=UTC)
LATEST, EARLIEST, ALL, SKIP = MisfirePolicy
PLAIN = ("schedule", "pending", None)
CAUGHT_UP = ("catch_up", "pending", None)
MISSED = ("schedule", "missed", NO_REPLICA)


def days(*numbers: int) -> Exclusions:
    return resolve(tuple(Days(date(2027, 12, day), date(2027, 12, day)) for day in numbers), "UTC", {})


def excluded(day: int) -> tuple[str, str, str]:
    return "schedule", "skipped", f"excluded: 2027-12-{day}"


def fates(made: Plan) -> list[tuple[str, str, str | None]]:
    return [(run.trigger, run.state, run.reason) for run in made.runs]


def test_an_excluded_occurrence_is_skipped_with_its_reason_and_counts_for_nothing() -> None:
    calendars = {"holidays": Listed("UTC", [Days(date(2027, 12, 20), date(2027, 12, 20), "Day off")], "holidays")}
    made = plan(DAILY, NOON, NOON + SECOND, exclusions=resolve((InCalendar("holidays"),), "UTC", calendars))
    [run] = made.runs
    assert (run.state, run.reason) == (State.SKIPPED, "excluded: calendar holidays (Day off)")
    assert made.made == 0
    assert made.next == NOON + DAY
    assert made.limited(1).next == NOON + DAY


@pytest.mark.parametrize(
    ("policy", "told"),
    [
        (LATEST, [MISSED, MISSED, CAUGHT_UP, excluded(23), PLAIN]),
        (EARLIEST, [CAUGHT_UP, MISSED, MISSED, excluded(23), PLAIN]),
        (ALL, [CAUGHT_UP, CAUGHT_UP, CAUGHT_UP, excluded(23), PLAIN]),
        (SKIP, [MISSED, MISSED, MISSED, excluded(23), PLAIN]),
    ],
)
def test_a_misfire_that_is_excluded_is_neither_caught_up_nor_missed(
    policy: MisfirePolicy, told: list[tuple[str, str, str | None]]
) -> None:
    misfire = Misfire(policy=policy, window_seconds=30 * 86400.0)
    assert fates(plan(DAILY, NOON, NOON + 4 * DAY, misfire, days(23))) == told


def test_the_earliest_that_is_caught_up_is_not_excluded() -> None:
    misfire = Misfire(policy=EARLIEST, window_seconds=30 * 86400.0)
    told = fates(plan(DAILY, NOON, NOON + 3 * DAY, misfire, days(20)))
    assert told == [excluded(20), CAUGHT_UP, MISSED, PLAIN]


def test_what_is_excluded_and_older_than_the_window_is_excluded() -> None:
    told = fates(plan(DAILY, NOON, NOON + 3 * DAY, Misfire(window_seconds=3600.0), days(20)))
    assert told[0] == excluded(20)
    assert told[1][1:] == ("missed", "window")


def test_what_is_excluded_takes_no_place_of_those_that_count() -> None:
    """A week off, and an outage that began before it: the last one due before it is the latest misfire."""
    week_off = days(*range(21, 28))
    told = fates(plan(DAILY, NOON, NOON + 8 * DAY - SECOND, Misfire(max=2, window_seconds=30 * 86400.0), week_off))
    assert told == [CAUGHT_UP, *(excluded(day) for day in range(21, 28))]
    made = plan(DAILY, NOON - 3 * DAY, NOON + 8 * DAY - SECOND, Misfire(max=2, window_seconds=30 * 86400.0), week_off)
    assert fates(made) == [MISSED, *told]
    assert [span.count for span in made.spans] == [2]


def test_what_is_excluded_for_long_is_counted_in_a_span_like_the_rest() -> None:
    each_second = Recurrence("* * * * * *")
    made = plan(each_second, NOON, NOON + DAY / 2 - SECOND, Misfire(max=2, grace_seconds=1.0), days(20))
    assert len(made.runs) == 2 + SKIPPED_ROWS + 2
    assert {run.state for run in made.runs} == {State.SKIPPED}
    assert sum(span.count for span in made.spans) == 43_200 - len(made.runs)


@given(
    st.lists(st.tuples(st.integers(0, 12 * 86400), st.integers(1, 3 * 86400)), max_size=4),
    st.timedeltas(timedelta(0), 12 * DAY),
    st.sampled_from(["0 12 * * *", "0 */7 * * *", "30 2 * * *", "@every 5h"]),
    st.builds(Misfire, policy=st.sampled_from(MisfirePolicy), max=st.integers(1, 20), window_seconds=st.just(2e6)),
)
def test_every_row_says_skipped_exactly_where_its_occurrence_is_excluded(
    lengths: list[tuple[int, int]], late: timedelta, schedule: str, misfire: Misfire
) -> None:
    ranges = [(NOON + start * SECOND, NOON + (start + length) * SECOND) for start, length in lengths]
    exclusions = resolve(tuple(Interval(*each) for each in ranges), "UTC", {})
    recurrence = Recurrence(schedule, "Europe/Berlin", anchor=NOON - DAY)
    first = recurrence.next_after(NOON)
    assert first is not None
    made = plan(recurrence, first, first + late, misfire, exclusions)
    every = [run.occurrence for run in plan(recurrence, first, first + late, replace(misfire, max=1000)).runs]
    covered = {at: any(start <= at < end for start, end in ranges) for at in every}
    rows = [run.occurrence for run in made.runs]
    assert rows == every[len(every) - len(rows) :]
    assert sum(span.count for span in made.spans) == len(every) - len(rows)
    assert [run.state is State.SKIPPED for run in made.runs] == [covered[at] for at in rows]
    left = [at for at in every if _is_late(at, first + late) and not covered[at]]
    misfires = left[-misfire.max :]
    assert [at for at in rows if at in left] == misfires
    assert not made.spans or rows[0] == misfires[0]
    wanted = {LATEST: misfires[-1:], EARLIEST: misfires[:1], ALL: misfires, SKIP: []}
    assert [run.occurrence for run in made.runs if run.trigger is Trigger.CATCH_UP] == wanted[misfire.policy]


def _is_late(at: datetime, now: datetime) -> bool:
    return now - at > timedelta(seconds=60)
