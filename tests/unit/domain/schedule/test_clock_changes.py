"""Debian cron's rule for changes of the clock, as tables. Times are local where no zone stands, UTC with a Z."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from app.domain.job import DstGap, DstOverlap
from app.domain.schedule import parse

FIRST, LAST, BOTH = DstOverlap
AFTER, SKIP = DstGap


def due(  # noqa: PLR0917  a row of a table has many columns
    text: str, zone: str, first: str, last: str, gap: DstGap = AFTER, overlap: DstOverlap = FIRST
) -> list[str]:
    """What is due in [first, last], as `dd HH:MM` in UTC; told the same by all three questions."""
    schedule = parse(text, zone, dst_gap=gap, dst_overlap=overlap)
    begin, end = (datetime.fromisoformat(t).replace(tzinfo=UTC) for t in (first, last))
    forward, back = [], []
    at = begin - timedelta(seconds=1)
    while (following := schedule.next_after(at)) is not None and following <= end:
        forward.append(following)
        at = following
    at = end + timedelta(seconds=1)
    while (earlier := schedule.previous_before(at)) is not None and earlier >= begin:
        back.append(earlier)
        at = earlier
    assert forward == back[::-1]
    assert schedule.count_between(begin - timedelta(seconds=1), end) == len(forward)
    return [f"{at:%d %H:%M}" for at in forward]


# Europe/Berlin: on 2026-03-29 02:00 becomes 03:00 (01:00Z), on 2026-10-25 03:00 becomes 02:00 (01:00Z).
BERLIN_GAP = ("Europe/Berlin", "2026-03-28 22:00", "2026-03-29 04:00")
BERLIN_FOLD = ("Europe/Berlin", "2026-10-24 22:30", "2026-10-25 03:00")


@pytest.mark.parametrize(
    ("text", "gap", "expected"),
    [
        ("30 2 * * *", AFTER, ["29 01:00"]),
        ("30 2 * * *", SKIP, []),
        ("0,15,30 2 * * *", AFTER, ["29 01:00"]),
        ("30 2,3 * * *", AFTER, ["29 01:00", "29 01:30"]),
        ("0 2,3 * * *", AFTER, ["29 01:00"]),
        ("0 2,3 * * *", SKIP, ["29 01:00"]),
        ("0 0-4 * * *", AFTER, ["28 23:00", "29 00:00", "29 01:00", "29 02:00"]),
        ("0 * * * *", AFTER, ["28 22:00", "28 23:00", "29 00:00", "29 01:00", "29 02:00", "29 03:00", "29 04:00"]),
        ("*/30 2 * * *", AFTER, []),
        ("30 */2 * * *", AFTER, ["28 23:30", "29 02:30"]),
        ("59 1 * * *", AFTER, ["29 00:59"]),
        ("0 3 * * *", AFTER, ["29 01:00"]),
        ("7 30 2 * * *", AFTER, ["29 01:00"]),
        ("30 2 29 3 *", AFTER, ["29 01:00"]),
        ("0 30 2 29 3 * 2026", AFTER, ["29 01:00"]),
        ("30 2 * * MON-SAT", AFTER, []),
    ],
)
def test_a_time_in_the_gap_runs_at_its_end_unless_it_is_skipped(text: str, gap: DstGap, expected: list[str]) -> None:
    for overlap in DstOverlap:
        assert due(text, *BERLIN_GAP, gap, overlap) == expected


@pytest.mark.parametrize(
    ("text", "overlap", "expected"),
    [
        ("30 2 * * *", FIRST, ["25 00:30"]),
        ("30 2 * * *", LAST, ["25 01:30"]),
        ("30 2 * * *", BOTH, ["25 00:30", "25 01:30"]),
        ("0 2 * * *", FIRST, ["25 00:00"]),
        ("0 2 * * *", LAST, ["25 01:00"]),
        ("0 3 * * *", FIRST, ["25 02:00"]),
        ("0 3 * * *", LAST, ["25 02:00"]),
        ("0,30 1-3 * * *", FIRST, ["24 23:00", "24 23:30", "25 00:00", "25 00:30", "25 02:00", "25 02:30"]),
        ("0,30 1-3 * * *", LAST, ["24 23:00", "24 23:30", "25 01:00", "25 01:30", "25 02:00", "25 02:30"]),
        ("*/30 2 * * *", FIRST, ["25 00:00", "25 00:30", "25 01:00", "25 01:30"]),
        ("15 * * * *", FIRST, ["24 23:15", "25 00:15", "25 01:15", "25 02:15"]),
        ("0 30 2 25 10 * 2026", LAST, ["25 01:30"]),
    ],
)
def test_a_time_that_comes_twice_runs_once_unless_both_are_wanted(
    text: str, overlap: DstOverlap, expected: list[str]
) -> None:
    for gap in DstGap:
        assert due(text, *BERLIN_FOLD, gap, overlap) == expected


@pytest.mark.parametrize(
    ("text", "zone", "first", "last", "expected"),
    [
        # midnight does not exist in Havana on 2026-03-08 (05:00Z), and comes twice on 2025-11-02 (05:00Z)
        ("0 0 * * *", "America/Havana", "2026-03-07 12:00", "2026-03-09 12:00", ["08 05:00", "09 04:00"]),
        ("30 0 8 3 *", "America/Havana", "2026-03-07 12:00", "2026-03-09 12:00", ["08 05:00"]),
        ("@daily", "America/Havana", "2025-11-01 12:00", "2025-11-03 12:00", ["02 04:00", "03 05:00"]),
        ("30 0 2 11 *", "America/Havana", "2025-11-01 12:00", "2025-11-03 12:00", ["02 04:30"]),
        # Beirut falls back at midnight into the day before: 00:00 becomes 23:00 (21:00Z)
        ("30 23 24 10 *", "Asia/Beirut", "2026-10-24 12:00", "2026-10-25 12:00", ["24 20:30"]),
        ("30 * 24 10 *", "Asia/Beirut", "2026-10-24 19:00", "2026-10-25 12:00", ["24 19:30", "24 20:30", "24 21:30"]),
        # Lord Howe by half an hour: 02:00 becomes 02:30 (15:30Z), and 02:00 becomes 01:30 (15:00Z)
        ("15 2 * * *", "Australia/Lord_Howe", "2026-10-03 12:00", "2026-10-03 18:00", ["03 15:30"]),
        ("30 2 * * *", "Australia/Lord_Howe", "2026-10-03 12:00", "2026-10-03 18:00", ["03 15:30"]),
        ("0 3 * * *", "Australia/Lord_Howe", "2026-10-03 12:00", "2026-10-03 18:00", ["03 16:00"]),
        ("45 1 * * *", "Australia/Lord_Howe", "2026-04-04 12:00", "2026-04-04 18:00", ["04 14:45"]),
        ("15 1 * * *", "Australia/Lord_Howe", "2026-04-04 12:00", "2026-04-04 18:00", ["04 14:15"]),
        # 2011-12-30 does not exist in Apia: the clock jumps at 10:00Z
        (
            "0 9 * * *",
            "Pacific/Apia",
            "2011-12-29 12:00",
            "2012-01-01 00:00",
            ["29 19:00", "30 10:00", "30 19:00", "31 19:00"],
        ),
        ("0 9 30 12 *", "Pacific/Apia", "2011-12-29 00:00", "2012-01-01 00:00", ["30 10:00"]),
        ("0 */12 * * *", "Pacific/Apia", "2011-12-29 12:00", "2011-12-31 09:00", ["29 22:00", "30 10:00", "30 22:00"]),
        # the year and the clock change together in Kiritimati: 1995-01-01 does not exist there
        ("0 0 1 1 *", "Pacific/Kiritimati", "1994-12-30 00:00", "1995-12-31 00:00", ["31 10:00"]),
        # Caracas moved by half an hour for good; a fold of half an hour
        ("45 2 9 12 *", "America/Caracas", "2007-12-09 00:00", "2007-12-10 00:00", ["09 06:45"]),
    ],
)
def test_odd_changes_of_the_clock_keep_the_rule(
    text: str, zone: str, first: str, last: str, expected: list[str]
) -> None:
    assert due(text, zone, first, last) == expected


def test_an_interval_knows_no_local_time() -> None:
    assert due("@every 1h", "Europe/Berlin", "2026-10-25 00:00", "2026-10-25 02:00") == [
        "25 00:00",
        "25 01:00",
        "25 02:00",
    ]


def test_a_wake_within_the_second_pass_does_not_repeat_the_first() -> None:
    schedule = parse("30 2 * * *", "Europe/Berlin")
    second_pass = datetime(2026, 10, 25, 1, 10, tzinfo=UTC)

    assert schedule.next_after(second_pass) == datetime(2026, 10, 26, 1, 30, tzinfo=UTC)
    assert schedule.previous_before(second_pass) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


def test_a_count_within_the_second_pass_leaves_the_first_out() -> None:
    schedule = parse("45 2 * * *", "Europe/Berlin")
    begin, end = datetime(2026, 10, 25, 1, 10, tzinfo=UTC), datetime(2026, 10, 25, 1, 40, tzinfo=UTC)

    assert schedule.count_between(begin, end) == 0
    assert schedule.count_between(begin - timedelta(hours=1), end) == 1


def test_the_last_local_day_of_a_schedule_may_come_again_in_an_overlap() -> None:
    schedule = parse("0 * * 24 10 * 2026", "Asia/Beirut")
    first_pass = datetime(2026, 10, 24, 20, 59, tzinfo=UTC)

    assert schedule.next_after(first_pass) == datetime(2026, 10, 24, 21, 0, tzinfo=UTC)


def test_seconds_within_the_gap_are_one_occurrence() -> None:
    schedule = parse("* 30 2 * * *", "Europe/Berlin")
    begin, end = datetime(2026, 3, 29, 0, tzinfo=UTC), datetime(2026, 3, 29, 6, tzinfo=UTC)

    assert schedule.count_between(begin, end) == 1
    assert schedule.next_after(begin) == datetime(2026, 3, 29, 1, tzinfo=UTC)
