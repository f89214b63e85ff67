from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from app.coordination.connection import RedisConnection
from app.coordination.names import Names
from tests.servers.redis import RedisProcess, running_redis


@pytest.fixture(scope="session")
def shared_redis() -> Iterator[RedisProcess]:
    with running_redis() as server:
        yield server


@pytest.fixture
def own_redis() -> Iterator[RedisProcess]:
    """One that the test may kill or flush."""
    with running_redis() as server:
        yield server


@pytest.fixture
def names() -> Names:
    """Below a prefix that nobody else has."""
    return Names(f"test.{uuid4().hex}")


@pytest.fixture
async def connection(shared_redis: RedisProcess) -> AsyncIterator[RedisConnection]:
    opened = RedisConnection(shared_redis.url)
    yield opened
    await opened.close()


@pytest.fixture
async def client(shared_redis: RedisProcess) -> AsyncIterator[Redis]:
    """What another system would see."""
    async with Redis.from_url(shared_redis.url, decode_responses=True) as opened:
        yield opened
