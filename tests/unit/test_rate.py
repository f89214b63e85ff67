from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from app.api.rate import Buckets
from app.domain.clock import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(datetime(2027, 3, 1, tzinfo=UTC))


def taken(buckets: Buckets, who: str) -> int:
    count = 0
    while not buckets.wait(who):
        count += 1
    return count


async def test_so_many_a_second_and_two_seconds_worth_at_once(clock: FakeClock) -> None:
    buckets = Buckets(5, clock)
    assert taken(buckets, "a") == 10
    assert buckets.wait("a") == pytest.approx(0.2)
    assert taken(buckets, "b") == 10
    await clock.advance(timedelta(seconds=1))
    assert taken(buckets, "a") == 5
    await clock.advance(timedelta(hours=1))
    assert taken(buckets, "a") == 10


async def test_less_than_one_a_second(clock: FakeClock) -> None:
    buckets = Buckets(0.1, clock)
    assert taken(buckets, "a") == 1
    assert buckets.wait("a") == pytest.approx(10)
    await clock.advance(timedelta(seconds=10))
    assert taken(buckets, "a") == 1


def test_none_is_any_number(clock: FakeClock) -> None:
    buckets = Buckets(0, clock)
    assert not any(buckets.wait("a") for _ in range(10_000))


def test_it_does_not_grow_without_end(clock: FakeClock) -> None:
    buckets = Buckets(1, clock, most=2)
    for who in "abc":
        assert taken(buckets, who) == 2
    assert taken(buckets, "c") == 0
    assert taken(buckets, "a") == 2  # forgotten, and so full again
