"""Whether Redis is there: it is told once that it is not, and nobody waits for it."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager

import pytest
from structlog.testing import capture_logs

from app.coordination.commands import publish
from app.coordination.connection import PATIENCE, AwayError, RedisConnection
from app.coordination.names import Names
from faults.proxy import Proxy
from tests.e2e.client import eventually
from tests.servers.redis import RedisProcess

BOUND = 20.0
Messages = AsyncGenerator[str | None]


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[RedisConnection]:
    connection = RedisConnection(url)
    try:
        yield connection
    finally:
        await connection.close()


async def is_away(connection: RedisConnection) -> bool:
    return not connection.up


async def heard(messages: Messages) -> str | None:
    async with asyncio.timeout(BOUND):
        return await anext(messages)


async def test_what_is_published_is_heard_after_the_connect(shared_redis: RedisProcess, names: Names) -> None:
    async with (
        opened(shared_redis.url) as one,
        opened(shared_redis.url) as other,
        aclosing(other.subscribe(names.changes)) as messages,
    ):
        assert await heard(messages) is None
        await one.send([publish(names.changes, [1, 2]), publish(names.changes, [])])
        assert [await heard(messages), await heard(messages)] == ["1,2", ""]
        assert one.up
        assert other.up


async def test_after_redis_was_killed_something_may_have_been_missed(own_redis: RedisProcess, names: Names) -> None:
    async with opened(own_redis.url) as connection, aclosing(connection.subscribe(names.changes)) as messages:
        await heard(messages)
        own_redis.process.kill()
        with pytest.raises(AwayError):
            await connection.send([publish(names.changes, [1])])
        assert not connection.up
        own_redis.start()
        assert await heard(messages) is None


async def test_one_that_is_frozen_is_noticed_by_its_silence(own_redis: RedisProcess, names: Names) -> None:
    async with opened(own_redis.url) as connection, aclosing(connection.subscribe(names.changes)) as messages:
        await heard(messages)
        own_redis.process.send(signal.SIGSTOP)
        again = asyncio.create_task(heard(messages))
        await eventually(lambda: is_away(connection), timeout=BOUND)
        own_redis.process.send(signal.SIGCONT)
        assert await again is None


async def test_silence_alone_is_no_loss(shared_redis: RedisProcess, names: Names) -> None:
    async with opened(shared_redis.url) as connection, aclosing(connection.subscribe(names.changes)) as messages:
        await heard(messages)
        told = asyncio.create_task(heard(messages))
        await asyncio.wait([told], timeout=3 * PATIENCE)
        assert not told.done()
        await connection.send([publish(names.changes, [1])])
        assert await told == "1"


async def test_one_that_is_slow_is_given_up(shared_redis: RedisProcess, names: Names) -> None:
    proxy = Proxy(shared_redis.port)
    port = await proxy.start()
    try:
        async with opened(f"redis://127.0.0.1:{port}") as connection:
            await connection.send([publish(names.changes, [1])])
            proxy.back.seconds = 5
            since = time.monotonic()
            with pytest.raises(AwayError):
                await connection.send([publish(names.changes, [1])])
            assert time.monotonic() - since < 2 * PATIENCE
            proxy.back.seconds = 0
            assert await connection.send([("ECHO", "mine")]) == ["mine"]
    finally:
        await proxy.stop()


async def test_it_is_told_once_that_it_is_away_and_once_that_it_is_back(own_redis: RedisProcess) -> None:
    async with opened(own_redis.url) as connection:
        own_redis.process.kill()
        with capture_logs() as logs:
            for _ in range(3):
                with pytest.raises(AwayError):
                    await connection.send([("PING",)])
            own_redis.start()
            for _ in range(3):
                await connection.send([("PING",)])
        assert [(line["log_level"], line["event"]) for line in logs] == [
            ("warning", "redis is away; going on without it"),
            ("info", "redis is back"),
        ]


async def test_a_command_that_redis_refuses_is_as_good_as_none(shared_redis: RedisProcess) -> None:
    async with opened(shared_redis.url) as connection:
        with pytest.raises(AwayError):
            await connection.send([("NO_SUCH_COMMAND",)])


def test_a_url_of_something_else_is_refused_without_telling_the_password() -> None:
    with pytest.raises(ValueError, match="scheme") as refused:
        RedisConnection("http://user:secret@host")
    assert "secret" not in str(refused.value)
