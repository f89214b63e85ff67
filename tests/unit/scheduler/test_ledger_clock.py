from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from app.domain.clock import FakeClock
from app.scheduler.ledger_clock import LedgerClock
from tests.unit.scheduler.building import HOUR, NOON, SECOND
from tests.unit.scheduler.fake_store import FakeStore, away

AHEAD = timedelta(minutes=7)


@pytest.fixture
def server() -> FakeClock:
    """The database's clock, which the tests move by hand."""
    return FakeClock(NOON + AHEAD)


@pytest.fixture
def ledger(clock: FakeClock, server: FakeClock) -> LedgerClock:
    return LedgerClock(clock, FakeStore(server))


@pytest.fixture
def source(ledger: LedgerClock) -> FakeStore:
    assert isinstance(ledger._source, FakeStore)
    return ledger._source


async def both(clock: FakeClock, server: FakeClock, by: timedelta) -> None:
    await clock.advance(by)
    await server.advance(by)


async def test_before_the_first_look_nobody_knows_the_time(ledger: LedgerClock) -> None:
    with pytest.raises(RuntimeError):
        ledger.now()
    await ledger.look_if_stale()
    assert ledger.now() == NOON + AHEAD


async def test_it_is_the_databases_time_and_counts_on(ledger: LedgerClock, clock: FakeClock, server: FakeClock) -> None:
    await ledger.look()
    await both(clock, server, SECOND)
    assert (ledger.now(), ledger.skew) == (NOON + AHEAD + SECOND, AHEAD.total_seconds())


@pytest.mark.parametrize("step", [-HOUR, HOUR, 0.6 * SECOND, -0.6 * SECOND])
async def test_a_jump_of_the_wall_clock_changes_nothing_and_makes_it_look(
    ledger: LedgerClock, clock: FakeClock, server: FakeClock, source: FakeStore, step: timedelta
) -> None:
    await ledger.look()
    clock.step(step)
    assert ledger.now() == NOON + AHEAD
    await both(clock, server, 0.1 * SECOND)
    await ledger.look_if_stale()
    assert (ledger.now(), source.calls) == (NOON + AHEAD + 0.1 * SECOND, ["time", "time"])
    await ledger.look_if_stale()
    assert source.calls == ["time", "time"]


async def test_it_looks_every_two_seconds_and_no_more_often(
    ledger: LedgerClock, clock: FakeClock, server: FakeClock, source: FakeStore
) -> None:
    await ledger.look()
    for _ in range(100):
        await both(clock, server, 0.1 * SECOND)
        await ledger.look_if_stale()
    assert 5 <= source.calls.count("time") <= 7


@pytest.mark.parametrize("step", [-HOUR, HOUR])
async def test_a_jump_of_the_databases_clock_is_followed_within_two_seconds(
    ledger: LedgerClock, clock: FakeClock, server: FakeClock, step: timedelta
) -> None:
    await ledger.look()
    server.step(step)
    await both(clock, server, 2 * SECOND)
    await ledger.look_if_stale()
    assert ledger.now() == NOON + AHEAD + step + 2 * SECOND


async def test_a_machine_that_was_suspended_looks_again(
    ledger: LedgerClock, clock: FakeClock, server: FakeClock
) -> None:
    """Its monotonic clock stood still meanwhile."""
    await ledger.look()
    clock.step(HOUR)
    await server.advance(HOUR)
    await ledger.look_if_stale()
    assert ledger.now() == NOON + AHEAD + HOUR


async def test_a_look_is_late_by_its_way_back_and_never_early(clock: FakeClock, server: FakeClock) -> None:
    class Slow(FakeStore):
        async def time(self) -> datetime:
            await both(clock, server, SECOND)
            seen = await super().time()
            await both(clock, server, SECOND)
            return seen

    ledger = LedgerClock(clock, Slow(server))
    await ledger.look()
    assert ledger.now() == server.now() - SECOND


async def test_a_look_that_fails_keeps_the_time_that_was_known(
    ledger: LedgerClock, clock: FakeClock, server: FakeClock, source: FakeStore
) -> None:
    await ledger.look()
    await both(clock, server, 5 * SECOND)
    source.before["time"] = [away()]
    with pytest.raises(type(away())):
        await ledger.look_if_stale()
    assert ledger.now() == NOON + AHEAD + 5 * SECOND
