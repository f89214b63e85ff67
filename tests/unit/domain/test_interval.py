"""How close occurrences come to each other."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from app.domain.interval import closer_than
from app.domain.job import DstOverlap
from app.domain.recurrence import Recurrence

NEW_YEAR = datetime(2027, 1, 1, tzinfo=UTC)


def closest(schedule: str, seconds: float, zone: str = "UTC", **more: object) -> bool:
    return closer_than(seconds, Recurrence(schedule, zone, **more), NEW_YEAR) is not None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("schedule", "interval"),
    [
        ("* * * * *", 60),
        ("*/7 * * * *", 240),  # from minute 56 to the next hour
        ("0,59 * * * *", 60),
        ("0 0,23 * * *", 3600),
        ("0 0,23 1,3 * *", 82800),
        ("59 23 28 2 *", 31536000),
        ("0 0 28 2,3 *", 2419200),
        ("0 0 31,1 * *", 86400),
        ("0 0 1 * SUN", 86400),  # a first of the month on a Monday or a Saturday
        ("0 12 29 2 *", None),
        ("*/20 * * * * *", 20),
        ("0,50 0 * * * *", 50),
        ("0 0 12 * * MON#1", 2419200),
        ("@every 90s", 90),
        ("@hourly", 3600),
        ("@yearly", 31536000),
        ("@manual", None),
        ("@at 2027-05-01T00:00:00Z", None),
    ],
)
def test_the_shortest_is_found(schedule: str, interval: float | None) -> None:
    if interval is None:
        assert not closest(schedule, 31_622_400)
    else:
        assert closest(schedule, interval + 1)
        assert not closest(schedule, interval)


def test_a_clock_that_is_set_back_counts() -> None:
    daily = ("30 2 * * *", 3601, "Europe/Berlin")
    assert closest(*daily, dst_overlap=DstOverlap.BOTH)
    assert not closest(*daily)
    assert closest("30 2 * * *", 86_399, "Europe/Berlin")  # the day on which the clock is set forward has 23 hours


def test_what_it_begins_with_is_its_start() -> None:
    pair = closer_than(61, Recurrence("* * * * *", starts_at=datetime(2028, 1, 1, tzinfo=UTC)), NEW_YEAR)
    assert pair == (datetime(2028, 1, 1, tzinfo=UTC), datetime(2028, 1, 1, 0, 1, tzinfo=UTC))
    assert closer_than(61, Recurrence("* * * * *", ends_at=NEW_YEAR), NEW_YEAR) is None
