"""The change feed: what other replicas changed, told as it is committed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager

import asyncpg
import pytest

from app.db import changes
from app.db.changes import LISTENER, PostgresChangeFeed
from app.domain.clock import FakeClock
from tests.db.building import MINUTE, Ledger
from tests.db.cutting import network
from tests.db.locks import gate
from tests.servers.postgres import plain_dsn

BOUND = 20.0


Feed = AsyncIterator[int | None]


@pytest.fixture
async def feed(postgres: Ledger) -> AsyncIterator[Feed]:
    async with _listening(postgres.url) as listening:
        yield listening


@asynccontextmanager
async def _listening(url: str) -> AsyncIterator[Feed]:
    """Listening already: its first word was heard."""
    feed = PostgresChangeFeed(url).listen()
    assert isinstance(feed, AsyncGenerator)
    async with aclosing(feed):
        assert await _next(feed) is None
        yield feed


async def _next(listening: Feed) -> int | None:
    async with asyncio.timeout(BOUND):
        return await anext(listening)


async def test_each_change_of_a_job_is_told(postgres: Ledger, feed: Feed, clock: FakeClock) -> None:
    job = await postgres.create()
    assert await _next(feed) == job.id
    clock.step(MINUTE)
    await postgres.jobs.set_enabled("job", enabled=False)
    assert await _next(feed) == job.id
    await postgres.jobs.delete("job")
    assert await _next(feed) == job.id


async def test_a_change_of_many_is_told_as_none(postgres: Ledger, feed: Feed) -> None:
    job = await postgres.create()
    assert await _next(feed) == job.id
    await postgres.switch.pause()
    assert await _next(feed) is None


async def test_a_change_is_told_when_it_commits_and_not_before(postgres: Ledger, rival: Ledger, feed: Feed) -> None:
    slow, quick = await postgres.create("slow"), await postgres.create("quick")
    assert [await _next(feed), await _next(feed)] == [slow.id, quick.id]
    async with gate(postgres.url, f"SELECT FROM job_versions WHERE job_id = '{slow.uid}' FOR UPDATE") as held:
        changing = asyncio.create_task(rival.patch("slow", description="new"))
        await held.until_waiting(1)
        await postgres.patch("quick", description="new")
        assert await _next(feed) == quick.id
        await held.open()
        await changing
    assert await _next(feed) == slow.id


async def test_a_change_that_is_undone_is_not_told(postgres: Ledger, feed: Feed) -> None:
    await postgres.create()
    await _next(feed)
    async with postgres.database.begin() as connection:
        await changes.notify_change(connection, 77)
        await connection.rollback()
    other = await postgres.create("other")
    assert await _next(feed) == other.id


async def test_a_connection_that_is_lost_is_made_anew_and_changes_may_have_been_missed(
    postgres: Ledger, feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "_RETRY_SECONDS", 0.01)
    monkeypatch.setattr(changes, "_PING_SECONDS", 2 * BOUND)
    hearing = asyncio.create_task(_next(feed))
    await _terminate_listeners(postgres)
    assert await hearing is None
    job = await postgres.create()
    assert await _next(feed) == job.id


async def test_a_server_that_says_nothing_is_pinged(
    postgres: Ledger, feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "_PING_SECONDS", 0.02)
    hearing = asyncio.create_task(_next(feed))
    admin = await asyncpg.connect(plain_dsn(postgres.url))
    try:
        async with asyncio.timeout(BOUND):
            while not await admin.fetchval("SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT 1'"):
                await admin.execute("SELECT pg_stat_clear_snapshot()")
    finally:
        await admin.close()
    job = await postgres.create()
    assert await hearing == job.id


async def test_a_server_that_is_frozen_is_left_for_a_new_connection(
    postgres: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "_RETRY_SECONDS", 0.01)
    async with network(postgres.url) as (carrier, url), _listening(url) as feed:
        monkeypatch.setattr(changes, "_PING_SECONDS", 0.2)
        carrier.freeze()
        assert await _next(feed) is None
        job = await postgres.create()
        assert await _next(feed) == job.id


async def test_two_listeners_hear_the_same(postgres: Ledger, feed: Feed) -> None:
    async with _listening(postgres.url) as other:
        job = await postgres.create()
        assert [await _next(feed), await _next(other)] == [job.id, job.id]


async def test_a_feed_that_is_closed_leaves_no_connection(postgres: Ledger) -> None:
    async with _listening(postgres.url):
        assert await _listeners(postgres) == 1
    async with asyncio.timeout(BOUND):
        while await _listeners(postgres):
            pass


async def test_claims_and_records_tell_nobody(postgres: Ledger, feed: Feed, clock: FakeClock) -> None:
    job = await postgres.create()
    await _next(feed)
    clock.step(MINUTE)
    await postgres.claim(clock.now(), job)
    other = await postgres.create("other")
    assert await _next(feed) == other.id


async def _listeners(ledger: Ledger) -> int:
    admin = await asyncpg.connect(plain_dsn(ledger.url))
    try:
        return int(await admin.fetchval(f"SELECT count(*) {_LISTENING}"))
    finally:
        await admin.close()


async def _terminate_listeners(ledger: Ledger) -> None:
    admin = await asyncpg.connect(plain_dsn(ledger.url))
    try:
        assert await admin.fetchval(f"SELECT count(pg_terminate_backend(pid)) {_LISTENING}") == 1
    finally:
        await admin.close()


_LISTENING = f"FROM pg_stat_activity WHERE datname = current_database() AND application_name = '{LISTENER}'"
