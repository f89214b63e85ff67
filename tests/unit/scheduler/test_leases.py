from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from app.domain.clock import FakeClock
from app.domain.replica import Peer, Vitals
from app.scheduler.leases import Lease
from tests.unit.scheduler.building import OTHER, SECOND, pass_time
from tests.unit.scheduler.fake_store import FakeStore, away

LEASE = 30.0
LOOPS = 2


class Told:
    def __init__(self) -> None:
        self.peers: list[list[Peer]] = []
        self.lost = 0

    async def vitals(self) -> Vitals:
        return Vitals(in_flight=3)

    def on_lost(self) -> None:
        self.lost += 1


@pytest.fixture
def told() -> Told:
    return Told()


def lease_of(store: FakeStore, clock: FakeClock, told: Told, seconds: float = LEASE) -> Lease:
    return Lease(
        store,
        clock,
        "web-1",
        seconds,
        on_lost=told.on_lost,
        on_peers=told.peers.append,
        vitals=told.vitals,
    )


@pytest.fixture
async def lease(store: FakeStore, clock: FakeClock, told: Told) -> AsyncIterator[Lease]:
    held = lease_of(store, clock, told)
    yield held
    for event in store.held.values():
        event.set()
    await stop(held)


async def start(lease: Lease) -> None:
    await lease.join()
    lease.loop.start()
    lease.watch.start()


async def stop(lease: Lease) -> None:
    await lease.loop.stop()
    await lease.watch.stop()


async def test_a_lease_is_held_from_joining_until_shortly_before_its_end(lease: Lease, clock: FakeClock) -> None:
    assert not lease.held()
    await lease.join()
    assert lease.held()
    await clock.advance(26.9 * SECOND)
    assert lease.held()
    await clock.advance(0.1 * SECOND)
    assert not lease.held()
    assert lease.covers(lease.replica)
    await clock.advance(3 * SECOND)
    assert not lease.covers(lease.replica)


async def test_a_lease_covers_what_was_started_under_its_own_id_alone(lease: Lease) -> None:
    await lease.join()
    before = lease.replica
    await lease.join()
    assert lease.covers(lease.replica)
    assert not lease.covers(before)
    assert not lease.covers(OTHER)


async def test_a_lease_that_was_left_is_not_held(lease: Lease) -> None:
    await lease.join()
    await lease.leave()
    assert not lease.held()
    assert not lease.covers(lease.replica)


async def test_replicas_of_one_hostname_have_ids_of_their_own(store: FakeStore, clock: FakeClock, told: Told) -> None:
    leases = [lease_of(store, clock, told) for _ in range(2)]
    for each in leases:
        await each.join()
        await each.join()
    assert len(set(store.joined)) == 4


@pytest.mark.parametrize("seconds", [1, 2, 3, 30])
async def test_a_lease_renews_itself_so_that_it_is_always_held(
    store: FakeStore, clock: FakeClock, told: Told, seconds: float
) -> None:
    lease = lease_of(store, clock, told, seconds)
    await start(lease)
    for _ in range(100):
        assert lease.held()
        await pass_time(clock, 0.1, LOOPS, step=0.1)
    assert (told.lost, len(store.joined)) == (0, 1)
    await stop(lease)


@pytest.mark.parametrize("seconds", [1, 2, 3, 30])
async def test_one_renewal_that_fails_costs_no_lease(
    store: FakeStore, clock: FakeClock, told: Told, seconds: float
) -> None:
    lease = lease_of(store, clock, told, seconds)
    await start(lease)
    await clock.block_until(LOOPS)
    store.before["beat"] = [away()]
    for _ in range(20):
        assert lease.held()
        await pass_time(clock, 0.1, LOOPS, step=0.1)
    assert told.lost == 0
    await stop(lease)


async def test_it_counts_from_before_the_heartbeat_was_sent(lease: Lease, store: FakeStore, clock: FakeClock) -> None:
    """Sent at 0 and answered at 20, it ends at 30."""
    await lease.join()
    store.held["beat"] = asyncio.Event()
    lease.loop.start()
    await store.until_called("beat")
    await clock.advance(20 * SECOND)
    store.held["beat"].set()
    await clock.block_until(1)
    await lease.loop.stop()
    await clock.advance(9.9 * SECOND)
    assert lease.covers(lease.replica)
    await clock.advance(0.1 * SECOND)
    assert not lease.covers(lease.replica)


async def test_a_lease_that_ends_is_told_although_its_renewal_hangs(
    lease: Lease, store: FakeStore, clock: FakeClock, told: Told
) -> None:
    await start(lease)
    await clock.block_until(LOOPS)
    store.held["beat"] = asyncio.Event()
    await pass_time(clock, 29, LOOPS - 1)
    assert told.lost == 0
    await pass_time(clock, 2, LOOPS - 1)
    assert told.lost > 0


async def test_while_the_store_is_away_the_lease_ends_and_it_is_held_again_when_it_is_back(
    lease: Lease, store: FakeStore, clock: FakeClock, told: Told
) -> None:
    await start(lease)
    await clock.block_until(LOOPS)
    replica, store.down = lease.replica, True
    await pass_time(clock, 31, LOOPS)
    assert (lease.held(), told.lost > 0) == (False, True)
    store.down = False
    await pass_time(clock, 1, LOOPS)
    assert (lease.held(), lease.replica) == (True, replica)


async def test_a_replica_that_was_declared_dead_joins_again_under_a_new_id_and_cuts_its_calls(
    lease: Lease, store: FakeStore, clock: FakeClock, told: Told
) -> None:
    await start(lease)
    await clock.block_until(LOOPS)
    before = lease.replica
    store.alive = False
    await pass_time(clock, 2, LOOPS)
    assert lease.replica != before
    assert store.joined == [before, lease.replica]
    assert (told.lost, lease.held(), lease.covers(before)) == (1, True, False)


async def test_a_replica_that_cannot_join_again_holds_no_lease_meanwhile(
    lease: Lease, store: FakeStore, clock: FakeClock, told: Told
) -> None:
    await start(lease)
    await clock.block_until(LOOPS)
    store.alive, store.before["join"] = False, [away()]
    await pass_time(clock, 1, LOOPS)
    assert (told.lost > 0, lease.held()) == (True, False)
    await pass_time(clock, 2, LOOPS)
    assert lease.held()


async def test_each_heartbeat_tells_how_it_is_and_hears_who_is_there(
    lease: Lease, store: FakeStore, clock: FakeClock, told: Told
) -> None:
    store.replicas = [Peer(OTHER, 3)]
    await start(lease)
    await clock.block_until(LOOPS)
    assert (told.peers, store.vitals) == ([[Peer(OTHER, 3)]] * 2, [Vitals(in_flight=3)])
    store.replicas = []
    await pass_time(clock, 2, LOOPS)
    assert told.peers[-1] == []
