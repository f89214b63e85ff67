from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from app.domain.clock import Clock, FakeClock, SystemClock

NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)
SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)
A_LONG_TIME = 1000.0


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOON)


async def waiting(clock: FakeClock, event: asyncio.Event, seconds: float) -> asyncio.Task[bool]:
    task = asyncio.create_task(clock.wait(event, seconds))
    await clock.block_until(clock._asleep() + 1)
    return task


async def bounded(task: asyncio.Task[bool]) -> bool:
    return await asyncio.wait_for(task, 5)


async def test_advancing_moves_both_clocks_and_stepping_the_wall_clock_alone(clock: FakeClock) -> None:
    await clock.advance(SECOND)
    assert (clock.now(), clock.monotonic()) == (NOON + SECOND, 1.0)
    clock.step(-HOUR)
    assert (clock.now(), clock.monotonic()) == (NOON + SECOND - HOUR, 1.0)


async def test_who_waits_is_woken_when_the_time_has_come_and_not_before(clock: FakeClock) -> None:
    short, long = [await waiting(clock, asyncio.Event(), seconds) for seconds in (1, 2)]
    await clock.advance(0.999 * SECOND)
    await clock.block_until(2)
    await clock.advance(0.001 * SECOND)
    assert await bounded(short) is False
    await clock.block_until(1)
    assert not long.done()
    await clock.advance(SECOND)
    assert await bounded(long) is False


async def test_a_step_of_the_wall_clock_wakes_nobody(clock: FakeClock) -> None:
    task = await waiting(clock, asyncio.Event(), 1)
    clock.step(HOUR)
    await clock.block_until(1)
    assert not task.done()
    await clock.advance(SECOND)
    assert await bounded(task) is False


async def test_an_event_cuts_the_wait(clock: FakeClock) -> None:
    event = asyncio.Event()
    task = await waiting(clock, event, A_LONG_TIME)
    event.set()
    assert await bounded(task) is True
    assert clock.monotonic() == 0


async def test_an_event_that_is_set_in_the_moment_of_waking_is_told(clock: FakeClock) -> None:
    event = asyncio.Event()
    task = await waiting(clock, event, 1)
    await clock.advance(SECOND)
    event.set()
    assert await bounded(task) is True


async def test_whoever_is_to_wake_no_longer_counts_as_waiting(clock: FakeClock) -> None:
    """Or a test would go on before the loops that it woke have done anything."""
    by_time, event = await waiting(clock, asyncio.Event(), 1), asyncio.Event()
    by_event = await waiting(clock, event, A_LONG_TIME)
    assert clock._asleep() == 2
    await clock.advance(SECOND)
    event.set()
    assert clock._asleep() == 0
    assert [await bounded(by_time), await bounded(by_event)] == [False, True]


async def test_blocking_until_somebody_waits_ends_when_they_do(clock: FakeClock) -> None:
    blocked = asyncio.create_task(clock.block_until(2))
    one = await waiting(clock, asyncio.Event(), 1)
    assert not blocked.done()
    other = await waiting(clock, asyncio.Event(), 1)
    await asyncio.wait_for(blocked, 5)
    await clock.advance(SECOND)
    assert [await bounded(one), await bounded(other)] == [False, False]


async def test_a_wait_that_is_cancelled_leaves_nothing_behind(clock: FakeClock) -> None:
    task = await waiting(clock, asyncio.Event(), 1)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert clock._sleepers == {}
    await clock.advance(SECOND)


@pytest.mark.parametrize("clock", [FakeClock(NOON), SystemClock()], ids=["fake", "system"])
@pytest.mark.parametrize("seconds", [0, -5])
async def test_a_wait_that_is_over_already_only_says_whether_the_event_is_set(clock: Clock, seconds: float) -> None:
    event = asyncio.Event()
    assert await clock.wait(event, seconds) is False
    event.set()
    assert await clock.wait(event, seconds) is True


async def test_the_machines_clock_waits_no_longer_than_it_is_told() -> None:
    clock = SystemClock()
    begun = clock.monotonic()
    assert await clock.wait(asyncio.Event(), 0.02) is False
    assert 0.015 < clock.monotonic() - begun < 2


async def test_the_machines_clock_lets_an_event_cut_the_wait() -> None:
    clock, event = SystemClock(), asyncio.Event()
    asyncio.get_running_loop().call_soon(event.set)
    assert await asyncio.wait_for(clock.wait(event, A_LONG_TIME), 5) is True


async def test_a_wait_on_the_machines_clock_can_be_cancelled() -> None:
    task = asyncio.create_task(SystemClock().wait(asyncio.Event(), A_LONG_TIME))
    asyncio.get_running_loop().call_soon(task.cancel)
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 5)


def test_the_machines_clock_tells_utc() -> None:
    assert SystemClock().now().tzinfo is UTC
    assert abs(SystemClock().now() - datetime.now(UTC)) < SECOND
