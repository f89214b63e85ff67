from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from app.domain.errors import InvalidSchedule
from app.domain.schedule import parse

NOW = datetime(2026, 5, 5, tzinfo=UTC)


def first(text: str, name: str) -> datetime:
    found = parse(text, name=name).next_after(NOW - timedelta(seconds=1))
    assert found is not None
    return found


def test_a_draw_is_the_same_for_ever() -> None:
    assert first("H H * * *", "nightly-report") == NOW.replace(hour=19, minute=6)


def test_a_thousand_hourly_jobs_spread_over_the_hour() -> None:
    minutes = Counter(first("H * * * *", f"job-{i}").minute for i in range(1000))

    assert len(minutes) == 60
    assert max(minutes.values()) < 40


def test_fields_draw_apart() -> None:
    draws = {(at.hour % 12, at.minute % 12) for at in (first("H H * * *", f"job-{i}") for i in range(1000))}

    assert len(draws) == 144


@pytest.mark.parametrize("name", [f"job-{i}" for i in range(20)])
def test_a_hashed_step_keeps_its_distance(name: str) -> None:
    start = first("H/15 * * * *", name)
    schedule = parse("H/15 * * * *", name=name)

    assert start.minute < 15
    assert schedule.next_after(start) == start + timedelta(minutes=15)
    assert schedule.count_between(NOW, NOW + timedelta(hours=1)) == 4


@pytest.mark.parametrize("name", [f"job-{i}" for i in range(20)])
def test_a_hashed_range_keeps_its_bounds(name: str) -> None:
    assert first("H(10-12) * * * *", name).minute in {10, 11, 12}
    assert first("0 H(22-2) * * *", name).hour in {22, 23, 0, 1, 2}
    assert first("0 0 * * H(FRI-MON)", name).isoweekday() in {5, 6, 7, 1}
    assert first("0 0 1 H(11-2) *", name).month in {11, 12, 1, 2}
    assert first("0 0 H(28-3) * *", name).day in {28, 29, 30, 31, 1, 2, 3}
    assert {at % 10 for at in minutes("H(0-29)/10 * * * *", name)} == {first("H(0-29)/10 * * * *", name).minute % 10}
    assert len(minutes("H(0-29)/10 * * * *", name)) == 3
    assert max(minutes("H(0-29)/10 * * * *", name)) <= 29


def minutes(text: str, name: str) -> list[int]:
    schedule, found, at = parse(text, name=name), [], NOW - timedelta(seconds=1)
    while (following := schedule.next_after(at)) is not None and following < NOW + timedelta(hours=1):
        found.append(following.minute)
        at = following
    return found


def test_a_hashed_day_is_one_that_every_month_has() -> None:
    days = Counter(first("0 0 H * *", f"job-{i}").day for i in range(1000))

    assert set(days) == set(range(1, 29))


def test_every_weekday_is_drawn_alike() -> None:
    weekdays = Counter(first("0 0 * * H", f"job-{i}").isoweekday() for i in range(700))

    assert set(weekdays) == set(range(1, 8))
    assert max(weekdays.values()) < 140


def test_seconds_are_drawn_and_capitals_do_not_matter() -> None:
    assert len({first("h * * * * *", f"job-{i}").second for i in range(1000)}) == 60


def test_without_a_name_there_is_nothing_to_hash() -> None:
    with pytest.raises(InvalidSchedule) as caught:
        parse("0 H * * *")
    assert str(caught.value) == (
        "hour: 'H' is hashed from the job's name, and there is none. Give the name, or write a value."
    )


def test_shorthands_are_not_hashed() -> None:
    assert first("@daily", "nightly-report") == NOW
