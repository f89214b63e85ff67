"""A client of an event stream, within the process: the server's side of ASGI, which may be as slow as a test wants."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI

BOUND = 10.0


class Stream:
    """What one request is answered; nothing more is sent than was asked for, but for one piece."""

    def __init__(self, app: FastAPI, query: str, headers: Mapping[str, str]) -> None:
        self._gone = asyncio.Event()
        self._asked = False
        self._sent: asyncio.Queue[Any] = asyncio.Queue(maxsize=1)
        self._buffer = ""
        self.status = 0
        self.headers: dict[str, str] = {}
        self.pieces = 0
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": "/v1/events",
            "raw_path": b"/v1/events",
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
        }
        self._task = asyncio.create_task(app(scope, self._receive, self._sent.put))

    async def _receive(self) -> dict[str, Any]:
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def begin(self) -> None:
        async with asyncio.timeout(BOUND):
            start = await self._sent.get()
        self.status = start["status"]
        self.headers = {name.decode(): value.decode() for name, value in start["headers"]}

    async def piece(self) -> str:
        """The next that is sent; nothing at the end."""
        async with asyncio.timeout(BOUND):
            message = await self._sent.get()
        self.pieces += 1
        return str(message["body"].decode())

    async def frame(self) -> dict[str, str]:
        """The fields of the next frame, a comment too. Raises EOFError at the end."""
        while "\n\n" not in self._buffer:
            piece = await self.piece()
            if not piece:
                raise EOFError
            self._buffer += piece
        frame, _, self._buffer = self._buffer.partition("\n\n")
        fields = (line.partition(": ") for line in frame.split("\n"))
        return {name: value for name, _, value in fields}

    async def event(self) -> dict[str, Any]:
        """The next frame that is an event, with its data read."""
        while "data" not in (frame := await self.frame()):
            pass
        return frame | {"data": json.loads(frame["data"])}

    async def events(self, count: int) -> list[dict[str, Any]]:
        return [await self.event() for _ in range(count)]

    async def leave(self) -> None:
        """Like a client that closes its connection."""
        self._gone.set()
        while not self._task.done():
            if not self._sent.empty():
                self._sent.get_nowait()
            await asyncio.wait([self._task], timeout=0.01)
        self._task.result()


@asynccontextmanager
async def streaming(app: FastAPI, query: str = "", **headers: str) -> AsyncIterator[Stream]:
    """`Last_Event_ID="7"` is the header of that name."""
    stream = Stream(app, query, {name.replace("_", "-"): value for name, value in headers.items()})
    try:
        await stream.begin()
        yield stream
    finally:
        await stream.leave()


async def current(stream: Stream) -> int:
    """Where a stream begins that was asked for what comes from now on, as soon as it says so."""
    while "id" not in (frame := await stream.frame()):
        pass
    return int(frame["id"])


def kinds(events: list[dict[str, Any]]) -> list[str]:
    return [event["data"]["kind"] for event in events]
