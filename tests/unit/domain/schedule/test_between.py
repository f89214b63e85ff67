"""A stretch of occurrences at once is what one after the other would be, across every change of a clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.job import DstGap, DstOverlap
from app.domain.schedule import Schedule, parse

TEXTS = ["* * * * *", "30 2 * * *", "*/7 1-3 * * *", "0 0 29 2 *", "15,45 */6 1,15 * MON", "*/20 30 2 * * *"]
ZONES = {
    "UTC": datetime(2027, 3, 28, tzinfo=UTC),
    "Europe/Berlin": datetime(2027, 3, 28, tzinfo=UTC),
    "America/New_York": datetime(2027, 11, 7, tzinfo=UTC),
    "Australia/Lord_Howe": datetime(2027, 4, 3, tzinfo=UTC),
    "Pacific/Apia": datetime(2011, 12, 30, tzinfo=UTC),
    "America/Asuncion": datetime(2024, 10, 6, tzinfo=UTC),
}
SECOND = timedelta(seconds=1)


def one_by_one(schedule: Schedule, after: datetime, until: datetime) -> list[datetime]:
    found: list[datetime] = []
    at = schedule.next_after(after)
    while at is not None and at <= until:
        found.append(at)
        at = schedule.next_after(at)
    return found


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("text", TEXTS)
def test_it_is_the_same_across_a_change_of_the_clock(text: str, zone: str) -> None:
    for gap, overlap in product(DstGap, DstOverlap):
        schedule = parse(text, zone, dst_gap=gap, dst_overlap=overlap)
        after, until = ZONES[zone] - timedelta(hours=30), ZONES[zone] + timedelta(hours=40)
        assert list(schedule.between(after, until)) == one_by_one(schedule, after, until)


@given(
    st.sampled_from([*TEXTS, "@every 90s", "@every 7h13m", "@at 2027-03-28T01:30:00.5Z", "@manual"]),
    st.sampled_from(sorted(ZONES)),
    st.integers(-200_000, 200_000),
    st.integers(0, 20_000),
    st.sampled_from([timedelta(0), timedelta(microseconds=1), timedelta(milliseconds=999)]),
)
def test_it_is_the_same_wherever_it_begins_and_ends(
    text: str, zone: str, begins: int, seconds: int, beside: timedelta
) -> None:
    schedule = parse(text, zone, anchor=datetime(2027, 1, 1, tzinfo=UTC))
    after = ZONES[zone] + begins * SECOND - beside
    until = after + seconds * SECOND + beside
    assert list(schedule.between(after, until)) == one_by_one(schedule, after, until)


@pytest.mark.parametrize("text", ["* * * * *", "@every 1h", "@at 2027-03-28T01:30:00Z", "@manual"])
def test_there_is_nothing_between_an_instant_and_one_before_it(text: str) -> None:
    schedule = parse(text, "UTC", anchor=datetime(2027, 1, 1, tzinfo=UTC))
    assert list(schedule.between(ZONES["UTC"] + SECOND, ZONES["UTC"])) == []


@pytest.mark.parametrize("text", ["0 0 1 1 *", "@every 1h"])
def test_it_ends_with_the_years_that_schedules_know(text: str) -> None:
    schedule = parse(text, "UTC", anchor=datetime(2027, 1, 1, tzinfo=UTC))
    after, until = datetime(2098, 12, 31, 12, tzinfo=UTC), datetime(2101, 1, 1, tzinfo=UTC)
    assert list(schedule.between(after, until)) == one_by_one(schedule, after, until)
