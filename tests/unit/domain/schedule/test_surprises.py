from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.domain.job import DayRule, DstGap, DstOverlap
from app.domain.schedule import parse, warnings_for

YEAR = datetime(2026, 1, 1, tzinfo=UTC)


def warned(text: str, timezone: str = "UTC", frm: datetime = YEAR, count: int = 400, **options: Any) -> list[str]:
    schedule = parse(text, timezone, name="job", **options)
    occurrences: list[datetime] = []
    at = frm
    while len(occurrences) < count and (following := schedule.next_after(at)) is not None:
        occurrences.append(following)
        at = following
    return warnings_for(schedule, frm, occurrences)


@pytest.mark.parametrize(
    ("text", "rule", "beginning"),
    [
        (
            "7 9 13 * FRI",
            DayRule.OR,
            "Day of month and day of week are both restricted: it fires on days that match either",
        ),
        (
            "7 9 13 * FRI",
            DayRule.AND,
            "Day of month and day of week are both restricted: it fires only on days that match",
        ),
        (
            "7 9 1-31 * FRI",
            DayRule.OR,
            "Day of month and day of week are both restricted: it fires on days that match either",
        ),
        ("7 9 */2 * FRI", DayRule.OR, "Day of month and day of week must both match, whatever the day rule"),
    ],
)
def test_a_day_rule_that_may_surprise_is_told(text: str, rule: DayRule, beginning: str) -> None:
    (warning,) = warned(text, day_rule=rule)

    assert warning.startswith(beginning)


@pytest.mark.parametrize(
    "text", ["0 * * * *", "@hourly", "0 0 * * *", "@daily", "0 0 * * * *", "0 0-23 * * *", "@weekly"]
)
def test_a_schedule_in_the_busiest_minute_is_told_of_h(text: str) -> None:
    (warning,) = warned(text)

    assert warning.startswith("Most schedules fire in the first minute of the ")
    assert "`H` as the minute would spread the load" in warning


@pytest.mark.parametrize(
    "text",
    ["7 * * * *", "H * * * *", "H H * * *", "0 9 * * *", "30 0 * * * *", "*/5 * * * *", "13 9 13 * *", "13 9 * * FRI"],
)
def test_an_ordinary_schedule_has_no_warnings(text: str) -> None:
    assert warned(text) == []


def test_h_that_draws_zero_has_no_warning() -> None:
    assert warned("H(0-0) * * * *") == []


GAP = "2026-03-29 02:30 does not exist in Europe/Berlin: "
FOLD = "2026-10-25 02:30 comes twice in Europe/Berlin: "


@pytest.mark.parametrize(
    ("text", "gap", "overlap", "fates"),
    [
        (
            "30 2 * * *",
            DstGap.AFTER,
            DstOverlap.FIRST,
            ["times in that gap fire once, at 2026-03-29 03:00.", "it fires the first time."],
        ),
        ("30 2 * * *", DstGap.SKIP, DstOverlap.LAST, ["times in that gap don't fire.", "it fires the second time."]),
        ("30 2 * * *", DstGap.SKIP, DstOverlap.BOTH, ["times in that gap don't fire.", "it fires both times."]),
        ("30 */2 * * *", DstGap.AFTER, DstOverlap.FIRST, ["times in that gap don't fire.", "it fires both times."]),
    ],
)
def test_changes_of_the_clock_that_concern_the_preview_are_told(
    text: str, gap: DstGap, overlap: DstOverlap, fates: list[str]
) -> None:
    count = 12 * 365 if "*/" in text else 365
    expected = [GAP + fates[0], FOLD + fates[1]]

    assert warned(text, "Europe/Berlin", count=count, dst_gap=gap, dst_overlap=overlap) == expected


@pytest.mark.parametrize("text", ["30 3 * * *", "30 1 * * *", "30 2 * * 1-6", "30 2 1 * *"])
def test_changes_that_concern_no_time_of_the_schedule_are_not_told(text: str) -> None:
    assert warned(text, "Europe/Berlin", count=300) == []


def test_a_change_is_told_from_the_occurrence_that_it_concerns() -> None:
    eve = datetime(2026, 3, 28, 12, tzinfo=UTC)
    autumn = datetime(2026, 10, 24, 12, tzinfo=UTC)

    assert len(warned("30 2 * * *", "Europe/Berlin", eve, 1)) == 1
    assert len(warned("30 2 * * *", "Europe/Berlin", autumn, 1)) == 1
    assert warned("30 2 * * *", "Europe/Berlin", eve - timedelta(days=1), 1) == []
    assert warned("30 2 * * *", "Europe/Berlin", datetime(2026, 3, 29, 1, tzinfo=UTC), 1) == []


def test_a_long_preview_tells_of_ten_changes_and_counts_the_others() -> None:
    warnings = warned("30 2 * * SUN", "Europe/Berlin", count=53 * 10)

    assert len(warnings) == 11
    assert warnings[-1] == "10 more changes of the clock concern this preview."


def test_a_preview_without_occurrences_has_no_changes() -> None:
    assert warned("7 0 0 1 1 * 2020", "Europe/Berlin") == []
    assert warned("@manual") == []
    assert warned("@at 2027-01-01T00:00:00Z") == []


def test_an_interval_with_a_fraction_of_a_second_is_told() -> None:
    assert warned("@every 1.5s") == ["Only whole seconds count: the interval is 1 s."]
    assert warned("@every 2s") == []
