from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from app.domain.clock import FakeClock
from app.scheduler.audits import AUDIT_EVERY, Audits
from app.scheduler.looper import LONGEST_WAIT
from tests.unit.scheduler.building import HOUR, SECOND, pass_time
from tests.unit.scheduler.fake_store import FakeStore, away

ALONE = 1


@pytest.fixture
async def audits(clock: FakeClock, store: FakeStore) -> AsyncIterator[Audits]:
    made = Audits(store, clock)
    yield made
    await made.loop.stop()


async def test_a_round_is_made_at_the_start_and_then_each_minute(
    audits: Audits, store: FakeStore, clock: FakeClock
) -> None:
    audits.loop.start()
    await clock.block_until(ALONE)
    assert store.calls == ["audit"]
    await pass_time(clock, AUDIT_EVERY - 1, ALONE)
    assert store.calls == ["audit"]
    await pass_time(clock, 1, ALONE)
    assert store.calls == ["audit"] * 2


async def test_what_takes_many_steps_takes_them_one_after_the_other(
    audits: Audits, store: FakeStore, clock: FakeClock
) -> None:
    store.to_audit = [True] * 5
    audits.loop.start()
    await store.until_called("audit", 6)
    await clock.block_until(ALONE)
    assert store.calls == ["audit"] * 6


@pytest.mark.parametrize("step", [-2 * HOUR, 2 * HOUR], ids=str)
async def test_a_wall_clock_that_is_set_changes_nothing(
    audits: Audits, store: FakeStore, clock: FakeClock, step: timedelta
) -> None:
    audits.loop.start()
    await clock.block_until(ALONE)
    clock.step(step)
    await pass_time(clock, AUDIT_EVERY - 1, ALONE)
    assert store.calls == ["audit"]
    await pass_time(clock, 1, ALONE)
    assert store.calls == ["audit"] * 2


async def test_a_round_that_failed_is_made_again_soon(audits: Audits, store: FakeStore, clock: FakeClock) -> None:
    store.before["audit"] = [away()]
    audits.loop.start()
    await clock.block_until(ALONE)
    await clock.advance(LONGEST_WAIT * SECOND)
    await store.until_called("audit", 2)
