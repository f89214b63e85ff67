from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from app.domain.claim import Paused, Queued
from app.domain.clock import FakeClock
from app.scheduler.failing import LOOK_EVERY, Failing
from app.scheduler.looper import BUSY_PAUSE
from tests.unit.scheduler.building import SECOND, pass_time, queued
from tests.unit.scheduler.fake_store import FakeStore, away


class Store(FakeStore):
    """With a run that was due before the job was paused."""

    async def pause_failing(self) -> Paused:
        paused = await super().pause_failing()
        return replace(paused, queued=[queued(job_id) for job_id in paused.jobs])


@pytest.fixture
def store(clock: FakeClock) -> Store:
    return Store(clock)


@pytest.fixture
def changed() -> list[int]:
    return []


@pytest.fixture
def pending() -> list[Queued]:
    return []


@pytest.fixture
async def failing(store: Store, clock: FakeClock, changed: list[int], pending: list[Queued]) -> AsyncIterator[Failing]:
    made = Failing(store, clock, changed.extend, pending.extend)
    made.loop.start()
    await clock.block_until(1)
    yield made
    for event in store.held.values():
        event.set()
    await made.loop.stop()


def _looks(store: Store) -> int:
    return store.calls.count("pause_failing")


@pytest.mark.usefixtures("failing")
async def test_it_looks_at_the_start_and_now_and_then(store: Store, clock: FakeClock) -> None:
    assert _looks(store) == 1
    await pass_time(clock, LOOK_EVERY - 1, 1)
    assert _looks(store) == 1
    await pass_time(clock, 1, 1)
    assert _looks(store) == 2


async def test_it_looks_at_once_when_it_is_told(
    failing: Failing, store: Store, clock: FakeClock, changed: list[int], pending: list[Queued]
) -> None:
    store.failing = Paused([7, 8])
    failing.look_now()
    await store.until_called("pause_failing", 3)  # once more, for there may be more of them
    await clock.block_until(1)
    assert (changed, pending, _looks(store)) == ([7, 8], [queued(7), queued(8)], 3)


async def test_what_is_told_while_it_looks_is_looked_at_afterwards(
    failing: Failing, store: Store, clock: FakeClock, changed: list[int]
) -> None:
    store.held["pause_failing"] = asyncio.Event()
    failing.look_now()
    await store.until_called("pause_failing", 2)
    store.failing = Paused([7])
    failing.look_now()
    store.held["pause_failing"].set()
    await store.until_called("pause_failing", 3)
    await clock.block_until(1)
    assert changed == [7]


async def test_a_look_that_failed_is_made_again_soon(
    failing: Failing, store: Store, clock: FakeClock, changed: list[int]
) -> None:
    store.failing = Paused([7])
    store.before["pause_failing"] = [away()]
    failing.look_now()
    await store.until_called("pause_failing", 2)
    await clock.block_until(1)
    await clock.advance(SECOND)
    await store.until_called("pause_failing", 3)
    await clock.block_until(1)
    assert changed == [7]


async def test_a_job_that_others_hold_is_tried_again_soon(failing: Failing, store: Store, clock: FakeClock) -> None:
    store.failing = Paused(busy=True)
    failing.look_now()
    await store.until_called("pause_failing", 2)
    await pass_time(clock, BUSY_PAUSE, 1, step=BUSY_PAUSE)
    assert _looks(store) == 3
    await pass_time(clock, LOOK_EVERY - 1, 1)
    assert _looks(store) == 3
