"""Redis itself: what is sent to it, what it tells, and whether it is there. Nothing here waits for it for long."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any

import structlog
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from app.coordination.commands import Command

PATIENCE = 1.0
"""Seconds for an answer. A Redis that takes longer is as good as none."""

RETRY = 1.0
"""Seconds from a failure to the next try."""

_FAILURES = (OSError, RedisError, TimeoutError)
_log = structlog.get_logger()


class AwayError(Exception):
    """Redis can't be reached, refuses what it is told, or answers too late."""


class RedisConnection:
    """Raises ValueError for a URL that is none of Redis."""

    def __init__(self, url: str) -> None:
        self._client: Redis = Redis.from_url(
            url,
            decode_responses=True,
            protocol=2,
            socket_timeout=PATIENCE,
            socket_connect_timeout=PATIENCE,
            retry=Retry(NoBackoff(), 0),  # a connection that mends itself wouldn't say that it has missed something
        )
        self._there: dict[str, bool] = {}
        self._told_away = False

    @property
    def up(self) -> bool:
        """Whether all that was tried last went well."""
        return bool(self._there) and all(self._there.values())

    async def send(self, commands: Sequence[Command]) -> list[Any]:
        """The answers, in order. Raises AwayError; then some may have been carried out."""
        try:
            async with asyncio.timeout(PATIENCE), self._client.pipeline(transaction=False) as pipe:
                for command in commands:
                    pipe.execute_command(*command)
                answers: list[Any] = await pipe.execute()
        except _FAILURES as error:
            self._note("commands", error)
            raise AwayError from error
        self._note("commands")
        return answers

    async def subscribe(self, channel: str) -> AsyncGenerator[str | None]:
        """What is published, for ever; None after each connect, since something may have been missed till then."""
        while True:
            try:
                async with aclosing(self._one_subscription(channel)) as messages:
                    async for message in messages:
                        yield message
            except _FAILURES as error:
                self._note(channel, error)
            await asyncio.sleep(RETRY)

    async def close(self) -> None:
        await self._client.aclose()

    async def _one_subscription(self, channel: str) -> AsyncGenerator[str | None]:
        """Until it is lost. Silence is followed by a ping: a server that is frozen says nothing."""
        async with self._client.pubsub() as subscription:
            async with asyncio.timeout(PATIENCE):
                await subscription.subscribe(channel)
            pinged = False
            while True:
                message = await subscription.get_message(timeout=PATIENCE)
                if message is None and pinged:
                    raise TimeoutError("no answer to a ping")
                pinged = message is None
                if message is None:
                    async with asyncio.timeout(PATIENCE):
                        await subscription.ping()
                elif message["type"] == "subscribe":
                    self._note(channel)
                    yield None
                elif message["type"] == "message":
                    yield message["data"]

    def _note(self, part: str, error: BaseException | None = None) -> None:
        """Told once when it is lost, and once when it is back."""
        self._there[part] = error is None
        if error is not None and not self._told_away:
            self._told_away = True
            _log.warning("redis is away; going on without it", cause=repr(error))
        elif self.up and self._told_away:
            self._told_away = False
            _log.info("redis is back")
