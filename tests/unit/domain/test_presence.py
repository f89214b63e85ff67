from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from app.domain.presence import Outage, Presence, outage_in, outages

NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)


def at(minute: int) -> datetime:
    return NOON + timedelta(minutes=minute)


def hole(start: int | None, end: int | None) -> Outage:
    return Outage(None if start is None else at(start), None if end is None else at(end))


def there(start: int, end: int | None) -> Presence:
    return Presence(at(start), None if end is None else at(end))


@pytest.mark.parametrize(
    ("presences", "expected"),
    [
        ([], [hole(None, None)]),
        ([there(0, None)], [hole(None, 0)]),
        ([there(0, 5)], [hole(None, 0), hole(5, None)]),
        ([there(0, 5), there(8, None)], [hole(None, 0), hole(5, 8)]),
        ([there(8, None), there(0, 5)], [hole(None, 0), hole(5, 8)]),
        ([there(0, 9), there(2, 4), there(9, 10)], [hole(None, 0), hole(10, None)]),
        ([there(0, None), there(2, 4)], [hole(None, 0)]),
        ([there(0, 2), there(3, 9), there(5, 6), there(11, None)], [hole(None, 0), hole(2, 3), hole(9, 11)]),
    ],
)
def test_the_holes_are_where_nobody_is(presences: list[Presence], expected: list[Outage]) -> None:
    assert outages(presences) == expected


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (1, 2, None),
        (4, 6, hole(5, 8)),
        (5, 8, hole(5, 8)),
        (6, 7, hole(5, 8)),
        (8, 9, None),
        (-3, 1, hole(None, 0)),
        (-1, 7, hole(5, 8)),
        (25, 30, hole(20, None)),
        (0, 5, None),
    ],
)
def test_the_longest_within_a_time_counts(start: int, end: int, expected: Outage | None) -> None:
    assert outage_in([hole(None, 0), hole(5, 8), hole(20, None)], at(start), at(end)) == expected
