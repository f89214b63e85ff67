from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from app.domain.clock import FakeClock
from app.domain.entries import EntryMap
from app.scheduler import follower as follower_module
from app.scheduler.follower import Follower
from app.scheduler.ledger_clock import LedgerClock
from app.scheduler.ports import ChangeFeed
from tests.unit.scheduler.building import MINUTE, NOON, SECOND, job, pass_time, turns
from tests.unit.scheduler.fake_store import FakeStore, away

POLL, COMPARE = 5.0, 30.0
LOOP = 1
LOOP_AND_LISTENER = 1


class Feed:
    """Tells what the test puts in; an exception ends one connection."""

    def __init__(self) -> None:
        self.told: asyncio.Queue[int | Exception | None] = asyncio.Queue()
        self.connections = 0
        self.closed = 0

    async def listen(self) -> AsyncIterator[int | None]:
        self.connections += 1
        try:
            while True:
                told = await self.told.get()
                if isinstance(told, Exception):
                    raise told
                yield told
        finally:
            self.closed += 1


class Rig:
    def __init__(self, clock: FakeClock, store: FakeStore, feed: ChangeFeed | None) -> None:
        self.entries = EntryMap()
        self.store, self.clock, self.changes = store, clock, 0
        self.follower = Follower(
            self.entries,
            store,
            feed,
            LedgerClock(clock, store),
            clock,
            poll_seconds=POLL,
            compare_seconds=COMPARE,
            on_change=self._changed,
        )

    async def start(self) -> None:
        self.follower.start()
        await self.clock.block_until(LOOP)
        self.store.calls.clear()

    def _changed(self) -> None:
        self.changes += 1

    def seen(self) -> dict[int, int]:
        return self.entries.versions()


@pytest.fixture
def feed() -> Feed:
    return Feed()


@pytest.fixture
async def rig(clock: FakeClock, store: FakeStore, feed: Feed) -> AsyncIterator[Rig]:
    made = Rig(clock, store, feed)
    yield made
    for event in store.held.values():
        event.set()
    await made.follower.stop()


async def test_jobs_are_loaded_a_page_at_a_time(rig: Rig, store: FakeStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follower_module, "PAGE", 3)
    store.jobs = {number: job(number) for number in (1, 2, 3, 5, 8, 13, 21)}
    assert not rig.follower.loaded
    await rig.follower.load()
    assert (rig.seen(), rig.follower.loaded) == (dict.fromkeys(store.jobs, 1), True)
    assert store.calls == ["time", *["enabled_page"] * 4]
    assert rig.changes == 1


async def test_a_replica_that_could_not_load_yet_loads_when_it_can(
    rig: Rig, store: FakeStore, clock: FakeClock
) -> None:
    store.jobs, store.down = {1: job(1)}, True
    rig.follower.start()
    await pass_time(clock, 3, LOOP)
    assert (rig.seen(), rig.follower.loaded) == ({}, False)
    store.down = False
    await pass_time(clock, 1, LOOP)
    assert (rig.seen(), rig.follower.loaded) == ({1: 1}, True)


async def test_what_is_told_is_read_at_once(rig: Rig, store: FakeStore, clock: FakeClock, feed: Feed) -> None:
    await rig.start()
    store.jobs = {1: job(1)}
    feed.told.put_nowait(1)
    await store.until_called("enabled_among")
    await clock.block_until(LOOP)
    assert (rig.seen(), store.calls, clock.monotonic()) == ({1: 1}, ["enabled_among"], 0)
    del store.jobs[1]
    feed.told.put_nowait(1)
    await store.until_called("enabled_among", 2)
    await clock.block_until(LOOP)
    assert rig.seen() == {}


async def test_many_changes_told_together_are_read_together(rig: Rig, store: FakeStore, clock: FakeClock) -> None:
    await rig.start()
    store.jobs = {number: job(number) for number in range(1, 301)}
    for number in store.jobs:
        rig.follower.reread([number])
    await store.until_called("enabled_among")
    await clock.block_until(LOOP)
    assert (len(rig.seen()), store.calls) == (300, ["enabled_among"])


async def test_what_is_told_while_it_reads_is_read_next(rig: Rig, store: FakeStore, clock: FakeClock) -> None:
    await rig.start()
    store.held["enabled_among"] = asyncio.Event()
    store.jobs = {1: job(1)}
    rig.follower.reread([1])
    await store.until_called("enabled_among")
    store.jobs = {1: job(1, version=2), 2: job(2)}
    rig.follower.reread([1, 2])
    store.held.pop("enabled_among").set()
    await clock.block_until(LOOP)
    assert rig.seen() == {1: 2, 2: 1}


async def test_what_could_not_be_read_is_read_later(rig: Rig, store: FakeStore, clock: FakeClock) -> None:
    await rig.start()
    store.jobs, store.down = {1: job(1)}, True
    rig.follower.reread([1])
    await pass_time(clock, 1, LOOP, step=0.5)
    assert rig.seen() == {}
    store.down = False
    await pass_time(clock, 0.5, LOOP, step=0.5)
    assert rig.seen() == {1: 1}


async def test_what_nobody_told_is_polled(rig: Rig, store: FakeStore, clock: FakeClock) -> None:
    await rig.start()
    store.jobs = {1: job(1)}
    await pass_time(clock, POLL - 1, LOOP)
    assert rig.seen() == {}
    await pass_time(clock, 1, LOOP)
    assert rig.seen() == {1: 1}


async def test_the_poll_goes_back_a_minute_before_the_last_one(clock: FakeClock) -> None:
    asked = []

    class Asked(FakeStore):
        async def changed_since(self, since: object) -> list[int]:
            asked.append(since)
            return []

    rig = Rig(clock, Asked(clock), None)
    await rig.start()
    await pass_time(clock, 2 * POLL, LOOP)
    assert asked == [NOON - MINUTE, NOON - MINUTE, NOON - MINUTE + POLL * SECOND]
    await rig.follower.stop()


async def test_deletions_and_late_commits_that_nobody_told_are_seen_by_comparison(
    rig: Rig, store: FakeStore, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower_module, "COMPARE_PAGE", 2)
    store.jobs = {number: job(number) for number in range(1, 6)}
    await rig.start()
    monkeypatch.setattr(store, "changed_since", _nothing)
    del store.jobs[2]
    store.jobs |= {4: job(4, version=7), 9: job(9)}
    await pass_time(clock, COMPARE - 1, LOOP)
    assert rig.seen() == dict.fromkeys(range(1, 6), 1)
    await pass_time(clock, 1, LOOP)
    assert rig.seen() == {1: 1, 3: 1, 4: 7, 5: 1, 9: 1}


async def _nothing(_: object) -> list[int]:
    return []


async def test_a_comparison_that_finds_no_difference_reads_no_rows(rig: Rig, store: FakeStore) -> None:
    store.jobs = {number: job(number) for number in range(1, 6)}
    await rig.start()
    before = [entry.entry_id for entry in rig.entries]
    await rig.follower.compare()
    assert store.calls == ["versions_page", "versions_page"]
    assert [entry.entry_id for entry in rig.entries] == before


async def test_it_compares_whenever_changes_may_have_been_missed(
    rig: Rig, store: FakeStore, clock: FakeClock, feed: Feed
) -> None:
    store.jobs = {1: job(1)}
    await rig.start()
    del store.jobs[1]
    feed.told.put_nowait(None)
    await store.until_called("versions_page")
    await clock.block_until(LOOP)
    assert (rig.seen(), clock.monotonic()) == ({}, 0)


async def test_a_change_that_may_have_been_missed_while_it_compares_is_compared_next(
    rig: Rig, store: FakeStore, clock: FakeClock, feed: Feed
) -> None:
    store.jobs = {1: job(1), 2: job(2)}
    await rig.start()
    store.held["versions_page"] = asyncio.Event()
    feed.told.put_nowait(None)
    await store.until_called("versions_page")
    await turns()
    del store.jobs[1]
    feed.told.put_nowait(None)
    await turns()
    store.held.pop("versions_page").set()
    await clock.block_until(LOOP)
    assert (rig.seen(), clock.monotonic()) == ({2: 1}, 0)


async def test_a_comparison_that_failed_is_made_again_at_once(rig: Rig, store: FakeStore, clock: FakeClock) -> None:
    store.jobs = {1: job(1)}
    await rig.start()
    del store.jobs[1]
    store.before["versions_page"] = [away()]
    rig.follower.compare_soon()
    await pass_time(clock, 1, LOOP, step=0.5)
    assert rig.seen() == {}


async def test_a_feed_that_fails_is_listened_to_again(rig: Rig, store: FakeStore, clock: FakeClock, feed: Feed) -> None:
    await rig.start()
    feed.told.put_nowait(ValueError("no number"))
    await clock.block_until(2)
    await pass_time(clock, 1, LOOP)
    await turns()
    assert feed.connections == 2
    store.jobs = {1: job(1)}
    feed.told.put_nowait(1)
    await store.until_called("enabled_among")


async def test_stopping_closes_the_feed_and_starting_again_opens_it(rig: Rig, clock: FakeClock, feed: Feed) -> None:
    for round_ in range(1, 4):
        await rig.start()
        rig.follower.start()
        await turns()
        assert (feed.connections, feed.closed) == (round_, round_ - 1)
        await rig.follower.stop()
        await rig.follower.stop()
        assert (feed.closed, clock._asleep()) == (round_, 0)


async def test_every_change_that_was_read_wakes_who_waits_for_the_map(
    rig: Rig, store: FakeStore, clock: FakeClock
) -> None:
    await rig.start()
    before = rig.changes
    await pass_time(clock, 3, LOOP)
    assert rig.changes == before
    store.jobs = {1: job(1)}
    rig.follower.reread([1])
    await store.until_called("enabled_among")
    await clock.block_until(LOOP)
    assert rig.changes == before + 1


class DeafOnce(Feed):
    """A cancellation that comes with an answer may be lost."""

    async def listen(self) -> AsyncIterator[int | None]:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.closed += 1
        await asyncio.Event().wait()
        yield None


async def test_a_listener_that_misses_its_cancellation_ends_all_the_same(clock: FakeClock, store: FakeStore) -> None:
    feed = DeafOnce()
    made = Rig(clock, store, feed)
    await made.start()
    async with asyncio.timeout(10):
        await made.follower.stop()
    assert feed.closed == 1
