"""Days that depend on the month, and the day rule."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from app.domain.job import DayRule
from app.domain.schedule import parse


def days(text: str, first: str, last: str, rule: DayRule = DayRule.OR) -> list[str]:
    """The days of the form MM-DD on which `0 0 <text>` is due."""
    schedule = parse(f"0 0 {text}", day_rule=rule)
    at = datetime.combine(date.fromisoformat(first), datetime.min.time(), UTC) - timedelta(seconds=1)
    end = datetime.combine(date.fromisoformat(last), datetime.min.time(), UTC)
    found = []
    while (following := schedule.next_after(at)) is not None and following <= end:
        found.append(f"{following:%m-%d}")
        at = following
    return found


@pytest.mark.parametrize(
    ("text", "first", "last", "expected"),
    [
        ("L * *", "2024-01-01", "2024-04-30", ["01-31", "02-29", "03-31", "04-30"]),
        ("L * *", "2026-02-01", "2026-02-28", ["02-28"]),
        ("L-3 * *", "2026-01-01", "2026-03-31", ["01-28", "02-25", "03-28"]),
        ("L-30 * *", "2026-01-01", "2026-04-30", ["01-01", "03-01"]),
        ("L-27 2 *", "2026-01-01", "2028-12-31", ["02-01", "02-01", "02-02"]),
        # May 2026 ends on a Sunday, October on a Saturday, August on a Monday
        ("LW 5,8,10 *", "2026-01-01", "2026-12-31", ["05-29", "08-31", "10-30"]),
        ("LW 2 *", "2026-01-01", "2026-12-31", ["02-27"]),
        # 15 August 2026 is a Saturday, 15 November a Sunday, 15 May a Friday
        ("15W 5,8,11 *", "2026-01-01", "2026-12-31", ["05-15", "08-14", "11-16"]),
        # 1 August 2026 is a Saturday, 1 November a Sunday
        ("1W 8,11 *", "2026-01-01", "2026-12-31", ["08-03", "11-02"]),
        # 31 May 2026 is a Sunday, 31 October a Saturday; April has no 31st
        ("31W 4-5,10 *", "2026-01-01", "2026-12-31", ["05-29", "10-30"]),
        ("28W,29W 2 *", "2026-01-01", "2026-12-31", ["02-27"]),
        ("1,15W,L 8 *", "2026-01-01", "2026-12-31", ["08-01", "08-14", "08-31"]),
        ("* * FRI#3", "2026-01-01", "2026-03-31", ["01-16", "02-20", "03-20"]),
        ("* * 5#1", "2026-05-01", "2026-06-30", ["05-01", "06-05"]),
        ("* * SUN#5", "2026-01-01", "2026-09-30", ["03-29", "05-31", "08-30"]),
        ("* * 7#L", "2026-01-01", "2026-02-28", ["01-25", "02-22"]),
        ("* * fri#l", "2026-01-01", "2026-02-28", ["01-30", "02-27"]),
        ("* 5 MON,FRI#3,SUN#L", "2026-05-01", "2026-05-31", ["05-04", "05-11", "05-15", "05-18", "05-25", "05-31"]),
        ("? 5 FRI#1", "2026-05-01", "2026-05-31", ["05-01"]),
        ("13 5 ?", "2026-05-01", "2026-05-31", ["05-13"]),
    ],
)
def test_special_days_fall_where_the_calendar_says(text: str, first: str, last: str, expected: list[str]) -> None:
    assert days(text, first, last) == expected


@pytest.mark.parametrize(
    ("text", "rule", "expected"),
    [
        ("13 * FRI", DayRule.OR, ["02-06", "02-13", "02-20", "02-27"]),
        ("12 * FRI", DayRule.OR, ["02-06", "02-12", "02-13", "02-20", "02-27"]),
        ("13 * FRI", DayRule.AND, ["02-13"]),
        ("12 * FRI", DayRule.AND, []),
        ("* * FRI", DayRule.OR, ["02-06", "02-13", "02-20", "02-27"]),
        ("? * FRI", DayRule.OR, ["02-06", "02-13", "02-20", "02-27"]),
        ("12 * *", DayRule.AND, ["02-12"]),
        ("12 * ?", DayRule.OR, ["02-12"]),
        # as in crontab(5), a field that begins with a star doesn't count as restricted, so both must match
        ("*/2 * FRI", DayRule.OR, ["02-13", "02-27"]),
        ("*/2 * FRI", DayRule.AND, ["02-13", "02-27"]),
        ("13 * */2", DayRule.OR, []),
        ("1-3,20 * */6", DayRule.OR, ["02-01"]),
        ("1-28 * FRI", DayRule.OR, [f"02-{day:02}" for day in range(1, 29)]),
        ("L * FRI#2", DayRule.OR, ["02-13", "02-28"]),
        ("L-15 * FRI#2", DayRule.AND, ["02-13"]),
        ("H(12-12) * SAT#4", DayRule.OR, ["02-12", "02-28"]),
    ],
)
def test_two_restricted_days_follow_the_day_rule(text: str, rule: DayRule, expected: list[str]) -> None:
    schedule = parse(f"0 0 {text}", name="job", day_rule=rule)
    at, end = datetime(2026, 1, 31, 12, tzinfo=UTC), datetime(2026, 2, 28, tzinfo=UTC)
    found = []
    while (following := schedule.next_after(at)) is not None and following <= end:
        found.append(f"{following:%m-%d}")
        at = following

    assert found == expected
