"""Whoever tells the coordinator something goes on at once; what Redis misses meanwhile it is told later."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from datetime import timedelta
from typing import Any, cast

import pytest
from redis.asyncio import Redis

from app.coordination.commands import Command
from app.coordination.coordinator import RedisCoordinator
from app.coordination.names import Names
from app.domain.claim import Started
from app.domain.clock import SystemClock
from app.domain.run import State
from tests.coordination.building import AT, ME, finished, started
from tests.e2e.client import eventually
from tests.servers.redis import RedisProcess

BOUND = 20.0


class Rig:
    """A coordinator, and the replica around it."""

    def __init__(self, url: str, names: Names) -> None:
        self.coordinator = RedisCoordinator(url, names.prefix, SystemClock())
        self.running: list[Started] = []
        self.members = asyncio.Event()

    def start(self) -> None:
        self.coordinator.start(lambda: ME, lambda: self.running, self.members.set)


@asynccontextmanager
async def rig(url: str, names: Names) -> AsyncIterator[Rig]:
    made = Rig(url, names)
    made.start()
    try:
        yield made
    finally:
        await made.coordinator.close()


def feed_of(of: Rig) -> AsyncGenerator[int | None]:
    return cast("AsyncGenerator[int | None]", of.coordinator.listen())


async def has_failed(of: Rig) -> bool:
    return of.coordinator._connection._there.get("commands") is False


async def has_told(of: Rig) -> bool:
    return of.coordinator.up and not of.coordinator._pending.changed


async def is_there(client: Redis, key: str) -> bool:
    return await client.get(key) is not None


async def test_a_change_is_heard_by_another_replica(shared_redis: RedisProcess, names: Names) -> None:
    async with (
        rig(shared_redis.url, names) as one,
        rig(shared_redis.url, names) as other,
        aclosing(feed_of(other)) as changes,
        asyncio.timeout(BOUND),
    ):
        assert await anext(changes) is None
        one.coordinator.jobs_changed([3, 1])
        assert [await anext(changes), await anext(changes)] == [1, 3]
        one.coordinator.many_changed()
        assert await anext(changes) is None


async def test_a_change_while_redis_is_away_is_kept_until_it_is_back(own_redis: RedisProcess, names: Names) -> None:
    own_redis.process.kill()
    async with rig(own_redis.url, names) as one:
        one.coordinator.jobs_changed([7])
        for _ in range(2):
            one.coordinator._connection._there.clear()
            await eventually(lambda: has_failed(one), timeout=BOUND)
            assert one.coordinator._pending.changed == {7}
        own_redis.start()
        await eventually(lambda: has_told(one), timeout=BOUND)


async def test_a_replica_that_joins_or_leaves_wakes_the_others(shared_redis: RedisProcess, names: Names) -> None:
    async with rig(shared_redis.url, names) as one, rig(shared_redis.url, names) as other, asyncio.timeout(BOUND):
        await other.members.wait()
        for _ in range(2):
            other.members.clear()
            one.coordinator.members_changed()
            await other.members.wait()


async def test_what_runs_is_marked_and_gone_when_its_replica_is(
    shared_redis: RedisProcess, client: Redis, names: Names
) -> None:
    run = started()
    async with rig(shared_redis.url, names) as one:
        one.running.append(run)
        await eventually(lambda: is_there(client, names.running(run.call.run_id)), timeout=BOUND)
        assert await is_there(client, names.replica(ME))
    assert not await is_there(client, names.running(run.call.run_id))
    assert not await is_there(client, names.replica(ME))


async def test_the_last_run_of_a_job_is_remembered(shared_redis: RedisProcess, client: Redis, names: Names) -> None:
    async with rig(shared_redis.url, names) as one:
        for seconds in (1, 2, 0):
            one.coordinator.recorded(finished("job", AT + timedelta(seconds=seconds)), State.SUCCEEDED)
        one.coordinator.recorded(finished("job", AT, "acme"), State.SUCCEEDED)
    assert await client.get(names.last_run("acme/job")) == AT.isoformat(timespec="microseconds")
    assert await client.get(names.last_run("job")) == (AT + timedelta(seconds=2)).isoformat(timespec="microseconds")


async def test_two_prefixes_share_a_redis(shared_redis: RedisProcess, names: Names) -> None:
    async with (
        rig(shared_redis.url, names) as one,
        rig(shared_redis.url, Names(f"{names.prefix}.b")) as other,
        aclosing(feed_of(other)) as changes,
        asyncio.timeout(BOUND),
    ):
        await anext(changes)
        one.coordinator.jobs_changed([1])
        other.coordinator.jobs_changed([2])
        assert await anext(changes) == 2


async def test_a_writer_that_misses_its_cancellation_ends_all_the_same(
    shared_redis: RedisProcess, names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, inside = Rig(shared_redis.url, names), asyncio.Event()

    async def deaf_once(_: Sequence[Command]) -> list[Any]:
        if not inside.is_set():
            inside.set()
            with suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
        return []

    monkeypatch.setattr(made.coordinator._connection, "send", deaf_once)
    made.start()
    async with asyncio.timeout(BOUND):
        await inside.wait()
        await made.coordinator.close()
