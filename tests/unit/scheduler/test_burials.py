from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from app.domain.clock import FakeClock
from app.domain.run import State, Trigger
from app.scheduler.burials import Burials
from tests.unit.scheduler.building import pass_time
from tests.unit.scheduler.fake_store import FakeStore

BURIED = [(State.PENDING, Trigger.SCHEDULE), (State.LOST, Trigger.MANUAL)]


class Told:
    def __init__(self) -> None:
        self.held = True
        self.taken: list[tuple[State, Trigger]] = []


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
async def burials(store: FakeStore, clock: FakeClock, told: Told) -> AsyncIterator[Burials]:
    made = Burials(store, clock, 30, lambda: told.held, told.taken.extend)
    yield made
    for event in store.held.values():
        event.set()
    await made.loop.stop()


async def test_runs_of_the_dead_are_told(burials: Burials, store: FakeStore, clock: FakeClock, told: Told) -> None:
    burials.loop.start()
    await clock.block_until(1)
    assert told.taken == []
    store.buried = BURIED
    await pass_time(clock, 2, 1)
    assert told.taken[:2] == BURIED


async def test_a_replica_that_holds_no_lease_buries_nobody(
    burials: Burials, store: FakeStore, clock: FakeClock, told: Told
) -> None:
    told.held = False
    burials.loop.start()
    await pass_time(clock, 5, 1)
    assert "bury" not in store.calls
    told.held = True
    await pass_time(clock, 1, 1)
    assert "bury" in store.calls


async def test_the_lease_is_the_replicas_own(clock: FakeClock) -> None:
    asked: list[timedelta] = []

    class Burying(FakeStore):
        async def bury(self, lease: timedelta) -> list[tuple[State, Trigger]]:
            asked.append(lease)
            return []

    burials = Burials(Burying(clock), clock, 7, lambda: True, lambda _: None)
    burials.loop.start()
    await clock.block_until(1)
    assert asked == [timedelta(seconds=7)]
    await burials.loop.stop()
