from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.errors import InvalidSchedule, UnknownTimezone
from app.domain.job import DayRule, JobDefinition
from app.domain.recurrence import RESOLUTION, Recurrence
from app.domain.schedule import parse

NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)
ANCHOR = datetime(2027, 1, 1, 0, 0, 7, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)

times = st.datetimes(datetime(2027, 2, 20), datetime(2027, 3, 10), timezones=st.just(UTC))


def of(schedule: str, *, name: str = "job", anchor: datetime = ANCHOR, **more: Any) -> Recurrence:
    return Recurrence.of(JobDefinition(name=name, schedule=schedule, endpoint=None, **more), anchor)


def occurrences(recurrence: Recurrence, after: datetime, count: int) -> list[datetime]:
    found: list[datetime] = []
    while len(found) < count and (at := recurrence.next_after(found[-1] if found else after)) is not None:
        found.append(at)
    return found


def test_the_instant_at_which_a_job_starts_counts() -> None:
    starting = of("* * * * *", starts_at=NOON)
    assert starting.next_after(NOON - DAY) == NOON
    assert starting.next_after(NOON) == NOON + MINUTE
    assert starting.previous_before(NOON + MINUTE) == NOON
    assert starting.previous_before(NOON) is None
    assert starting.count_between(NOON - DAY, NOON) == 1


def test_the_instant_at_which_a_job_ends_counts() -> None:
    ending = of("* * * * *", ends_at=NOON)
    assert ending.next_after(NOON - MINUTE) == NOON
    assert ending.next_after(NOON) is None
    assert ending.previous_before(NOON + DAY) == NOON
    assert ending.count_between(NOON - RESOLUTION, NOON + DAY) == 1


def test_a_job_whose_start_and_end_are_one_instant_is_due_then() -> None:
    assert occurrences(of("* * * * *", starts_at=NOON, ends_at=NOON), NOON - DAY, 3) == [NOON]


bounds = st.one_of(st.none(), times, times.map(lambda t: t.replace(second=0, microsecond=0)))


@settings(deadline=None, max_examples=200)
@given(
    st.sampled_from(["*/5 * * * *", "30 2 * * *", "@every 37m", "0 9 * * MON"]),
    bounds,
    bounds,
    times,
    st.timedeltas(timedelta(0), 4 * DAY),
)
def test_bounds_leave_out_what_lies_beyond_them_and_nothing_else(
    schedule: str, starts_at: datetime | None, ends_at: datetime | None, after: datetime, width: timedelta
) -> None:
    until = after + width
    unbounded = of(schedule)
    expected = [
        at
        for at in takewhile_before(unbounded, after, until)
        if (starts_at is None or at >= starts_at) and (ends_at is None or at <= ends_at)
    ]
    bounded = replace(unbounded, starts_at=starts_at, ends_at=ends_at)
    assert takewhile_before(bounded, after, until) == expected
    assert bounded.count_between(after, until) == len(expected)
    back: list[datetime] = []
    while (at := bounded.previous_before(back[-1] if back else until + RESOLUTION)) is not None and at > after:
        back.append(at)
    assert back[::-1] == expected


def takewhile_before(recurrence: Recurrence, after: datetime, until: datetime) -> list[datetime]:
    found: list[datetime] = []
    while (at := recurrence.next_after(found[-1] if found else after)) is not None and at <= until:
        found.append(at)
    return found


@pytest.mark.parametrize("schedule", ["* * * * *", "@hourly", "0 9 * * THU", "@daily", "@at 2027-03-01T12:00:00Z"])
def test_jobs_that_are_due_at_the_same_instants_are_equal(schedule: str) -> None:
    one, other = of(schedule, name="one", anchor=ANCHOR), of(schedule, name="other", anchor=NOON)
    assert one == other
    assert one.parsed() is other.parsed()


HASHED = ["H * * * *", "h * * * *", "0 H * * *", "H(0-29)/10 * * * *", "0,H * * * *", "TZ=UTC H H * * *", " H * * * *"]


@pytest.mark.parametrize("schedule", HASHED)
def test_a_schedule_that_hashes_differs_by_name(schedule: str) -> None:
    assert of(schedule, name="one") != of(schedule, name="other")
    assert of(schedule, name="one") == of(schedule, name="one", anchor=NOON)


ANCHORED = ["@every 90s", "@EVERY 90s", "  @every 90s", "TZ=UTC @every 90s", "CRON_TZ=UTC\t@every\t90s"]


@pytest.mark.parametrize("schedule", ANCHORED)
def test_an_interval_counts_from_the_anchor(schedule: str) -> None:
    assert of(schedule, name="one") == of(schedule, name="other")
    for anchor in (ANCHOR, ANCHOR + timedelta(seconds=11)):
        assert of(schedule, anchor=anchor).next_after(anchor) == anchor + timedelta(seconds=90)


@pytest.mark.parametrize("schedule", [*HASHED, *ANCHORED, "* * * * *", "@hourly", "0 3 * * SUN#2"])
@pytest.mark.parametrize("rule", list(DayRule))
def test_what_is_left_out_makes_no_difference(schedule: str, rule: DayRule) -> None:
    whole = parse(schedule, "UTC", name="nightly", day_rule=rule, anchor=ANCHOR)
    shared = of(schedule, name="nightly", day_rule=rule)
    at = NOON
    for _ in range(50):
        found = shared.next_after(at)
        assert found == whole.next_after(at)
        assert found is not None
        at = found


def test_the_day_rule_and_the_zone_tell_recurrences_apart() -> None:
    assert of("0 0 13 * FRI") != of("0 0 13 * FRI", day_rule=DayRule.AND)
    assert of("0 0 * * *") != of("0 0 * * *", timezone="Europe/Berlin")
    assert of("0 0 * * *", timezone="Europe/Berlin").next_after(NOON) == NOON.replace(hour=23)


def test_what_was_computed_for_one_job_is_not_computed_again_for_another() -> None:
    from app.domain import recurrence  # noqa: PLC0415  # its cache is looked at

    before = recurrence._next_after.cache_info()
    found = {of("17 5 * * *", name=f"job-{n}").next_after(NOON) for n in range(1000)}
    after = recurrence._next_after.cache_info()
    assert len(found) == 1
    assert (after.misses - before.misses, after.hits - before.hits) == (1, 999)


def test_what_cannot_be_read_is_refused_when_it_is_asked_not_when_it_is_made() -> None:
    with pytest.raises(InvalidSchedule):
        of("every now and then").next_after(NOON)
    with pytest.raises(UnknownTimezone):
        of("* * * * *", timezone="Mars/Olympus").previous_before(NOON)
