from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from app.domain.errors import InvalidSchedule
from app.domain.schedule import parse

ANCHOR = datetime(2026, 5, 5, 10, 0, 7, 250_000, tzinfo=UTC)
WHOLE = ANCHOR.replace(microsecond=0)


@pytest.mark.parametrize(
    ("duration", "seconds"),
    [
        ("1s", 1),
        ("90s", 90),
        ("1h30m", 5400),
        ("1h0m1s", 3601),
        ("1.5h", 5400),
        (".5h", 1800),
        ("1.m", 60),
        ("5000ms", 5),
        ("2500000us", 2),
        ("1000000000ns", 1),
        ("15m50ns", 900),
        ("1m1m", 120),
        ("2184h25m", 7_863_900),
        ("0.999999999999999999999s1s", 1),
    ],
)
def test_a_go_duration_is_read_in_whole_seconds(duration: str, seconds: int) -> None:
    schedule = parse(f"@every {duration}", anchor=ANCHOR)

    assert schedule.next_after(WHOLE) == WHOLE + timedelta(seconds=seconds)
    assert schedule.previous_before(WHOLE) == WHOLE - timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "duration",
    [
        "",
        "5",
        "s",
        ".s",
        "1H",
        "1d",
        "-5m",
        "+5m",
        "1h 30m",
        "999ms",
        "0.5s",
        "0s",
        "1e3s",
        "99999999999h",
        "1_0s",
        "1s.s",
        "1s.",
    ],
)
def test_anything_else_is_refused_with_an_example(duration: str) -> None:
    with pytest.raises(InvalidSchedule, match=r"@every: '.*such as 90s or 1h30m") as caught:
        parse(f"@every {duration}")
    assert caught.value.field == "schedule"


def test_a_missing_duration_is_told() -> None:
    with pytest.raises(InvalidSchedule, match="@every: '' can't be read"):
        parse("@every")


def test_the_phase_is_the_anchor_in_whole_seconds_and_also_before_it() -> None:
    schedule = parse("@EVERY 10m", anchor=ANCHOR)

    assert schedule.next_after(ANCHOR) == WHOLE + timedelta(minutes=10)
    assert schedule.next_after(WHOLE - timedelta(microseconds=1)) == WHOLE
    assert schedule.next_after(WHOLE - timedelta(days=1)) == WHOLE - timedelta(days=1) + timedelta(minutes=10)
    assert schedule.count_between(WHOLE, WHOLE + timedelta(hours=1)) == 6
    assert schedule.count_between(WHOLE - timedelta(seconds=1), WHOLE + timedelta(hours=1)) == 7
    assert schedule.count_between(WHOLE, WHOLE) == 0
    assert schedule.count_between(WHOLE + timedelta(hours=1), WHOLE) == 0


def test_without_an_anchor_the_phase_is_1970() -> None:
    assert parse("@every 7h").next_after(datetime(1970, 1, 1, tzinfo=UTC)) == datetime(1970, 1, 1, 7, tzinfo=UTC)


def test_an_interval_that_leads_past_2100_ends() -> None:
    schedule = parse("@every 2000000h", anchor=ANCHOR)

    assert schedule.next_after(WHOLE) is None
    assert schedule.previous_before(datetime(2150, 1, 1, tzinfo=UTC)) == WHOLE
    assert schedule.previous_before(WHOLE) is None
    assert schedule.count_between(datetime(1900, 1, 1, tzinfo=UTC), datetime(2150, 1, 1, tzinfo=UTC)) == 1
