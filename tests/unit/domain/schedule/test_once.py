from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from app.domain.errors import InvalidSchedule
from app.domain.schedule import parse

MICROSECOND = timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("@at 2027-01-01T09:00:00+01:00", datetime(2027, 1, 1, 8, tzinfo=UTC)),
        ("@at 2027-01-01T09:00:00Z", datetime(2027, 1, 1, 9, tzinfo=UTC)),
        ("@at 2027-01-01t09:00:00z", datetime(2027, 1, 1, 9, tzinfo=UTC)),
        ("@AT 2027-01-01 09:00:00-00:00", datetime(2027, 1, 1, 9, tzinfo=UTC)),
        ("@at 2027-01-01T09:00:00.250Z", datetime(2027, 1, 1, 9, 0, 0, 250_000, tzinfo=UTC)),
        ("@at 2027-01-01T09:00:00.123456000Z", datetime(2027, 1, 1, 9, 0, 0, 123_456, tzinfo=UTC)),
        ("@at 2027-01-01T23:30:00-05:30", datetime(2027, 1, 2, 5, tzinfo=UTC)),
        ("TZ=Asia/Tokyo @at 2027-01-01T09:00:00Z", datetime(2027, 1, 1, 9, tzinfo=UTC)),
    ],
)
def test_it_is_due_once(text: str, expected: datetime) -> None:
    schedule = parse(text)

    assert schedule.next_after(expected - MICROSECOND) == expected
    assert schedule.next_after(expected) is None
    assert schedule.previous_before(expected + MICROSECOND) == expected
    assert schedule.previous_before(expected) is None
    assert schedule.count_between(expected - MICROSECOND, expected) == 1
    assert schedule.count_between(expected, expected + MICROSECOND) == 0


@pytest.mark.parametrize(
    "moment",
    [
        "",
        "2027-01-01",
        "2027-01-01T09:00:00",
        "2027-01-01T09:00Z",
        "2027-02-29T09:00:00Z",
        "2027-01-01T24:00:00Z",
        "2027-01-01T09:00:60Z",
        "2027-01-01T09:00:00+0100",
        "2027-01-01T09:00:00+24:00",
        "2027-01-01T09:00:00+01:60",
        "2027-01-01T09:00:00.1234567Z",
        "2027-01-01T09:00:00,5Z",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00",
        "20270101T090000Z",
        "2027-W01-1T09:00:00Z",
        "tomorrow",
    ],
)
def test_anything_but_rfc_3339_is_refused(moment: str) -> None:
    with pytest.raises(InvalidSchedule, match=r"@at: '.*Use RFC 3339") as caught:
        parse(f"@at {moment}")
    assert caught.value.field == "schedule"


def test_an_instant_from_2100_on_is_never_due() -> None:
    schedule = parse("@at 2100-01-01T00:00:00Z")

    assert schedule.next_after(datetime(2026, 1, 1, tzinfo=UTC)) is None
    assert schedule.previous_before(datetime(2150, 1, 1, tzinfo=UTC)) is None
    assert schedule.count_between(datetime(2026, 1, 1, tzinfo=UTC), datetime(2150, 1, 1, tzinfo=UTC)) == 0


def test_a_manual_schedule_is_never_due_by_itself() -> None:
    schedule = parse("@Manual")
    now = datetime(2026, 1, 1, tzinfo=UTC)

    assert schedule.next_after(now) is None
    assert schedule.previous_before(now) is None
    assert schedule.count_between(now, now + timedelta(days=1)) == 0
