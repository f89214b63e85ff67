from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from app.domain.clock import FakeClock
from app.scheduler.pauses import Pauses
from tests.unit.scheduler.building import pass_time
from tests.unit.scheduler.fake_store import FakeStore, away


@pytest.fixture
async def told(clock: FakeClock, store: FakeStore) -> AsyncIterator[list[int]]:
    """The jobs of which the loop said that they go on."""
    heard: list[int] = []
    pauses = Pauses(store, clock, heard.extend)
    pauses.loop.start()
    await clock.block_until(1)
    yield heard
    await pauses.loop.stop()


async def test_each_second_somebody_looks(store: FakeStore, clock: FakeClock, told: list[int]) -> None:
    await pass_time(clock, 3, 1)
    assert (store.calls.count("end_due"), told) == (4, [])


async def test_this_replica_reads_the_jobs_that_it_resumed(store: FakeStore, clock: FakeClock, told: list[int]) -> None:
    store.resumed = [1, 2]
    await pass_time(clock, 1, 1)
    assert told == [1, 2]


async def test_where_some_were_due_others_may_be(store: FakeStore, clock: FakeClock, told: list[int]) -> None:
    store.resumed = [1]
    await pass_time(clock, 1, 1)
    assert store.calls.count("end_due") == 3
    assert told == [1]


async def test_a_ledger_that_was_away_is_asked_again(store: FakeStore, clock: FakeClock, told: list[int]) -> None:
    store.resumed = [1]
    store.before["end_due"] = [away()]
    await pass_time(clock, 2, 1)
    assert told == [1]
