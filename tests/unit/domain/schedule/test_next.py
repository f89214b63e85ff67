"""Times and the occurrences around them, in UTC, as tables."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from app.domain.job import DayRule
from app.domain.schedule import parse


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "after", "expected"),
    [
        ("* * * * *", "2026-05-05 10:20:30", ["2026-05-05 10:21", "2026-05-05 10:22"]),
        ("* * * * * *", "2026-12-31 23:59:58", ["2026-12-31 23:59:59", "2027-01-01 00:00:00"]),
        ("*/15 * * * *", "2026-05-05 10:20", ["2026-05-05 10:30", "2026-05-05 10:45", "2026-05-05 11:00"]),
        ("5/15 * * * *", "2026-05-05 10:50", ["2026-05-05 11:05", "2026-05-05 11:20"]),
        ("30 9 * * MON-FRI", "2026-05-01 09:30", ["2026-05-04 09:30", "2026-05-05 09:30"]),
        ("0 0 29 2 *", "2096-02-29", []),
        ("0 0 29 2 *", "2026-01-01", ["2028-02-29", "2032-02-29"]),
        ("0 0 31 * *", "2026-01-31", ["2026-03-31", "2026-05-31"]),
        ("59 23 31 12 *", "2026-12-31 23:59", ["2027-12-31 23:59"]),
        ("0 0 1 1 *", "2026-12-31 23:59:59", ["2027-01-01"]),
        ("0 22-2/2 * * *", "2026-05-05 20:00", ["2026-05-05 22:00", "2026-05-06 00:00", "2026-05-06 02:00"]),
        ("0 22-2/3 * * *", "2026-05-05 20:00", ["2026-05-05 22:00", "2026-05-06 01:00", "2026-05-06 22:00"]),
        ("8 22-22 * * *", "2026-05-05 00:00", ["2026-05-05 22:08", "2026-05-06 22:08"]),
        ("0 3 1-1 * *", "2026-05-05 00:00", ["2026-06-01 03:00", "2026-07-01 03:00"]),
        ("0 0 1 11-2/2 *", "2026-05-05", ["2026-11-01", "2027-01-01", "2027-11-01"]),
        ("0 0 1 10-3/5 *", "2026-05-05", ["2026-10-01", "2027-03-01", "2027-10-01"]),
        ("0 0 * * FRI-MON/2", "2026-05-04", ["2026-05-08", "2026-05-10", "2026-05-15"]),
        ("0 0 30-2 * *", "2026-04-15", ["2026-04-30", "2026-05-01", "2026-05-02", "2026-05-30", "2026-05-31"]),
        ("0 0 * * 7", "2026-05-05", ["2026-05-10", "2026-05-17"]),
        ("0 0 * * sun", "2026-05-05", ["2026-05-10", "2026-05-17"]),
        ("0 0 * feb mOn", "2026-02-20", ["2026-02-23", "2027-02-01"]),
        ("30 15 10 15 6 * 2027", "2026-01-01", ["2027-06-15 10:15:30"]),
        ("0 0 0 1 1 * 2026-2030/2", "2026-01-01", ["2028-01-01", "2030-01-01"]),
        ("0 0 0 1 1 * 2020", "2026-01-01", []),
        ("@yearly", "2026-05-05", ["2027-01-01", "2028-01-01"]),
        ("@Annually", "2026-05-05", ["2027-01-01"]),
        ("@monthly", "2026-05-05", ["2026-06-01"]),
        ("@weekly", "2026-05-05", ["2026-05-10"]),
        ("@daily", "2026-05-05", ["2026-05-06"]),
        ("@midnight", "2026-05-05", ["2026-05-06"]),
        ("@hourly", "2026-05-05", ["2026-05-05 01:00"]),
        ("  0\t9  * * *  ", "2026-05-05", ["2026-05-05 09:00"]),
        ("0 0 * * *", "2099-12-30 12:00", ["2099-12-31"]),
        ("0 0 * * *", "1960-01-01 12:00", ["1970-01-01", "1970-01-02"]),
    ],
)
def test_the_next_occurrences_are_these(text: str, after: str, expected: list[str]) -> None:
    schedule, at = parse(text, name="job"), utc(after)
    for wanted in expected:
        found = schedule.next_after(at)
        assert found == utc(wanted)
        at = found
    if not expected:
        assert schedule.next_after(at) is None


@pytest.mark.parametrize(
    ("text", "before", "expected"),
    [
        ("* * * * *", "2026-05-05 10:20", ["2026-05-05 10:19"]),
        ("0 0 29 2 *", "2026-01-01", ["2024-02-29", "2020-02-29"]),
        ("0 9 * * MON-FRI", "2026-05-04 09:00", ["2026-05-01 09:00"]),
        ("30 15 10 15 6 * 2027", "2027-06-15 10:15:30", []),
        ("0 0 1 1 *", "1970-01-02", ["1970-01-01", ""]),
        ("0 0 * * *", "2200-01-01", ["2099-12-31"]),
    ],
)
def test_the_previous_occurrences_are_these(text: str, before: str, expected: list[str]) -> None:
    schedule, at = parse(text), utc(before)
    for wanted in expected:
        found = schedule.previous_before(at)
        assert found == (utc(wanted) if wanted else None)
        at = found or at
    if not expected:
        assert schedule.previous_before(at) is None


def test_a_leap_day_on_a_monday_is_far_away_and_is_found() -> None:
    schedule = parse("0 0 29 2 MON", day_rule=DayRule.AND)

    assert schedule.next_after(utc("2026-01-01")) == utc("2044-02-29")


def test_microseconds_count() -> None:
    schedule = parse("* * * * * *")
    half = utc("2026-05-05 10:00:00.500000")

    assert schedule.next_after(half) == utc("2026-05-05 10:00:01")
    assert schedule.previous_before(half) == utc("2026-05-05 10:00:00")
    assert schedule.count_between(half, utc("2026-05-05 10:00:01")) == 1
    assert schedule.count_between(utc("2026-05-05 10:00:00"), half) == 0


def test_times_may_come_in_any_zone() -> None:
    tokyo = timezone(timedelta(hours=9))

    assert parse("0 9 * * *").next_after(datetime(2026, 5, 5, 18, tzinfo=tokyo)) == utc("2026-05-06 09:00")


def test_a_time_without_a_zone_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(TypeError):
        parse("* * * * *").next_after(datetime(2026, 5, 5))


@pytest.mark.parametrize("text", ["* * * * * *", "@every 1s"])
@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin"])
def test_ten_years_of_seconds_are_counted_and_not_walked(text: str, zone: str) -> None:
    first, last = utc("2026-01-01"), utc("2036-01-01")

    assert parse(text, zone).count_between(first, last) == (last - first).total_seconds()


def test_the_end_of_the_horizon_is_the_same_in_every_zone() -> None:
    for zone in ("UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago"):
        last = parse("* * * * *", zone).previous_before(utc("2150-01-01"))
        assert last == utc("2099-12-31 23:59")
        assert parse("* * * * *", zone).next_after(last) is None
        assert parse("* * * * *", zone).previous_before(utc("1970-01-01")) is None


def test_counts_end_at_the_horizon() -> None:
    for zone in ("UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago"):
        schedule = parse("* * * * *", zone)
        assert schedule.count_between(utc("1900-01-01"), utc("1970-01-02")) == 24 * 60 + 1
        assert schedule.count_between(utc("2099-12-31"), utc("2200-01-01")) == 24 * 60 - 1
        assert schedule.count_between(utc("2150-01-01"), utc("2200-01-01")) == 0
        assert schedule.count_between(utc("1900-01-01"), utc("1960-01-01")) == 0
