from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from typing import Any

import pytest
from structlog.testing import capture_logs

from app.domain.clock import FakeClock
from tests.unit.scheduler.building import NOON
from tests.unit.scheduler.fake_store import FakeStore
from tests.unit.scheduler.fake_target import FakeTarget


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
