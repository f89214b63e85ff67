"""A client of the event stream that connects again wherever it is cut off, with the id that it had read."""

from __future__ import annotations

import asyncio
import json
from types import TracebackType
from typing import Any, Self

import aiohttp


class Follower:
    """`events` are those that came whole, `begun` the id from which on it listens, `connections` how often it asked."""

    def __init__(self, url: str, query: str = "") -> None:
        self._url = f"{url}/v1/events?{query}"
        self._last_id: str | None = None
        self._changed = asyncio.Condition()
        self._task: asyncio.Task[None] | None = None
        self.begun: int | None = None
        self.events: list[dict[str, Any]] = []
        self.connections = 0

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._follow())
        async with asyncio.timeout(10), self._changed:
            await self._changed.wait_for(lambda: self.begun is not None)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.wait([self._task])

    async def until(self, event_id: int, timeout: float = 20) -> None:
        """Return once it has read as far."""
        async with asyncio.timeout(timeout), self._changed:
            await self._changed.wait_for(lambda: int(self._last_id or 0) >= event_id)

    async def until_events(self, count: int, timeout: float = 20) -> None:
        async with asyncio.timeout(timeout), self._changed:
            await self._changed.wait_for(lambda: len(self.events) >= count)

    async def _follow(self) -> None:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None, sock_read=20)) as client:
            while True:
                headers = {} if self._last_id is None else {"Last-Event-ID": self._last_id}
                try:
                    async with client.get(self._url, headers=headers) as answer:
                        self.connections += answer.status == 200
                        await self._read(answer.content)
                except (aiohttp.ClientError, OSError):
                    continue

    async def _read(self, content: aiohttp.StreamReader) -> None:
        frame: dict[str, str] = {}
        async for line in content:
            name, _, value = line.decode().rstrip("\n").partition(": ")
            if name:
                frame[name] = value
                continue
            async with self._changed:
                self._take(frame)
                self._changed.notify_all()
            frame = {}

    def _take(self, frame: dict[str, str]) -> None:
        if "id" in frame:
            self._last_id = frame["id"]
            self.begun = int(frame["id"]) if self.begun is None else self.begun
        if "data" in frame:
            self.events.append({"id": int(frame["id"]), "event": frame["event"]} | json.loads(frame["data"]))
