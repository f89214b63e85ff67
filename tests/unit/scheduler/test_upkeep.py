from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from app.domain.clock import FakeClock
from app.scheduler.looper import LONGEST_WAIT
from app.scheduler.upkeep import Upkeep
from tests.unit.scheduler.building import HOUR, SECOND, pass_time, turns
from tests.unit.scheduler.fake_store import FakeStore, away

ALONE = 1


@pytest.fixture
async def upkeep(clock: FakeClock, store: FakeStore) -> AsyncIterator[Upkeep]:
    made = Upkeep(store, clock)
    yield made
    for event in store.held.values():
        event.set()
    await made.loop.stop()


async def nearly_an_hour(clock: FakeClock) -> None:
    """All of the wait for the next round but a second."""
    await pass_time(clock, HOUR.total_seconds() - 10, ALONE, step=10)
    await pass_time(clock, 9, ALONE)


async def test_a_round_is_made_at_the_start_and_then_each_hour(
    upkeep: Upkeep, store: FakeStore, clock: FakeClock
) -> None:
    upkeep.loop.start()
    await clock.block_until(ALONE)
    assert store.calls == ["tend"]
    await nearly_an_hour(clock)
    assert store.calls == ["tend"]
    await pass_time(clock, 1, ALONE)
    assert store.calls == ["tend"] * 2
    await nearly_an_hour(clock)
    assert store.calls == ["tend"] * 2
    await pass_time(clock, 1, ALONE)
    assert store.calls == ["tend"] * 3


@pytest.mark.parametrize("step", [-2 * HOUR, 2 * HOUR], ids=str)
async def test_a_wall_clock_that_is_set_changes_nothing(
    upkeep: Upkeep, store: FakeStore, clock: FakeClock, step: timedelta
) -> None:
    upkeep.loop.start()
    await clock.block_until(ALONE)
    clock.step(step)
    await nearly_an_hour(clock)
    assert store.calls == ["tend"]
    await pass_time(clock, 1, ALONE)
    assert store.calls == ["tend"] * 2


@pytest.mark.parametrize("fault", [away(), ZeroDivisionError()], ids=repr)
async def test_a_round_that_failed_is_made_again_soon(
    upkeep: Upkeep, store: FakeStore, clock: FakeClock, fault: Exception
) -> None:
    store.before["tend"] = [fault]
    upkeep.loop.start()
    await clock.block_until(ALONE)
    await clock.advance(LONGEST_WAIT * SECOND)
    await store.until_called("tend", 2)
    await nearly_an_hour(clock)
    assert store.calls == ["tend"] * 2


async def test_the_hour_counts_from_the_end_of_a_round(upkeep: Upkeep, store: FakeStore, clock: FakeClock) -> None:
    store.held["tend"] = asyncio.Event()
    upkeep.loop.start()
    await store.until_called("tend")
    await clock.advance(2 * HOUR)
    await turns()
    store.held.pop("tend").set()
    await nearly_an_hour(clock)
    assert store.calls == ["tend"]
    await pass_time(clock, 1, ALONE)
    assert store.calls == ["tend"] * 2


async def test_a_round_that_has_more_to_do_goes_on_at_once(upkeep: Upkeep, store: FakeStore, clock: FakeClock) -> None:
    store.rounds_left = 3
    upkeep.loop.start()
    await clock.block_until(ALONE)
    for _ in range(2):
        await pass_time(clock, 0, ALONE)
    await store.until_called("tend", 3)
    await nearly_an_hour(clock)
    assert store.calls == ["tend"] * 3
