"""Redis between replicas: what one of them did wakes the others, and the database says what it was."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from uuid import uuid4

import pytest

from app.coordination.coordinator import RedisCoordinator
from app.domain.clock import FakeClock, SystemClock
from tests.e2e.audited import nothing_is_unaccounted
from tests.e2e.client import eventually
from tests.servers.redis import RedisProcess, running_redis
from tests.unit.scheduler.replica import Replica, ServerClock, running


@pytest.fixture(scope="module")
def redis_server() -> Iterator[RedisProcess]:
    with running_redis() as started:
        yield started


Start = Callable[[], AbstractAsyncContextManager[Replica]]


@pytest.fixture
def coordinated(database_url: str, redis_server: RedisProcess, clock: FakeClock, server: ServerClock) -> Start:
    """The coordinator's time is the machine's, the replica's stands still: it polls once, and no more."""
    prefix = uuid4().hex

    @asynccontextmanager
    async def start() -> AsyncIterator[Replica]:
        redis = RedisCoordinator(redis_server.url, prefix, SystemClock())
        options = {"poll_seconds": 60.0, "compare_seconds": 60.0}
        async with running(database_url, clock, server, feed=redis, announcer=redis, **options) as replica:
            service = replica.service
            redis.start(lambda: service.replica, service.runner.running, service.members_changed)
            await eventually(lambda: all_is_up(redis))
            yield replica
        await redis.close()

    return start


async def all_is_up(redis: RedisCoordinator) -> bool:
    """The writer and both listeners."""
    return len(redis._connection._there) == 3 and redis.up


async def test_a_change_is_seen_at_once_however_far_apart_the_polls_are(
    coordinated: Start, database_url: str, clock: FakeClock, server: ServerClock
) -> None:
    async with coordinated() as one, coordinated() as other:
        job = await one.create()
        await other.sees({job.id: 1})
        await one.jobs.edit("job", lambda old: replace(old.definition(), schedule="* * * * * *"))
        await other.sees({job.id: 2})
        await other.jobs.delete("job")
        await one.sees({})
        assert clock.monotonic() == 0
    await nothing_is_unaccounted(database_url, server)


async def test_a_replica_that_joins_or_leaves_is_noticed_at_once(coordinated: Start, clock: FakeClock) -> None:
    async with coordinated() as one:
        async with coordinated():
            await eventually(lambda: knows(one, 2))
        await eventually(lambda: knows(one, 1))
        assert clock.monotonic() == 0


async def knows(replica: Replica, replicas: int) -> bool:
    return len(replica.service.turns._claims) == replicas
