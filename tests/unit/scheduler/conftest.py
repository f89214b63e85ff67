from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, MutableMapping
from typing import Any

import pytest
from structlog.testing import capture_logs

from app.domain.clock import FakeClock
from app.scheduler.options import Options
from app.scheduler.service import SchedulerService
from tests.unit.scheduler.building import NOON
from tests.unit.scheduler.fake_store import FakeStore
from tests.unit.scheduler.fake_target import FakeTarget
from tests.unit.scheduler.rig import Rig
from tests.unit.scheduler.wiring import ports_of


@pytest.fixture(autouse=True)
def logs() -> Iterator[list[MutableMapping[str, Any]]]:
    """What was logged, which drawing tracebacks for a terminal would take longer than the tests."""
    with capture_logs() as captured:
        yield captured


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOON)


@pytest.fixture
def store(clock: FakeClock) -> FakeStore:
    return FakeStore(clock)


@pytest.fixture
def target() -> FakeTarget:
    return FakeTarget()


@pytest.fixture
async def rig(clock: FakeClock, store: FakeStore, target: FakeTarget) -> AsyncIterator[Rig]:
    made = Rig(clock, store, target)
    await made.start()
    yield made
    for event in store.held.values():
        event.set()
    await made.dispatcher.loop.stop()


@pytest.fixture
async def service(clock: FakeClock, store: FakeStore, target: FakeTarget) -> AsyncIterator[SchedulerService]:
    made = SchedulerService(ports_of(store, target), Options(), clock)
    yield made
    store.down = False
    for event in store.held.values():
        event.set()
    target.release()
    await made.stop(0)
