"""A network that is slow, each way by itself, and loses the answers to commits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

_CHUNK = 1 << 16


class Way:
    """One direction: `seconds` is how long each piece takes."""

    def __init__(self) -> None:
        self.seconds = 0.0

    async def carry(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, passed: Callable[[bytes], None]
    ) -> None:
        """Pieces are timed apart, so that a delay holds nothing up but itself. `passed` is told of each."""
        sent: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        passing = asyncio.create_task(self._deliver(sent, writer, passed))
        now = asyncio.get_running_loop().time
        try:
            while piece := await reader.read(_CHUNK):
                sent.put_nowait((now() + self.seconds, piece))
            sent.put_nowait((now() + self.seconds, b""))
            await passing
        finally:
            passing.cancel()

    async def _deliver(
        self, sent: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter, passed: Callable[[bytes], None]
    ) -> None:
        while True:
            at, piece = await sent.get()
            await asyncio.sleep(max(at - asyncio.get_running_loop().time(), 0))
            if not piece:
                return
            writer.write(piece)
            await writer.drain()
            passed(piece)


class Proxy:
    """In front of a port. One that `loses_commits` breaks a connection as soon as a commit has passed."""

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        self._to = host, port
        self.there = Way()
        self.back = Way()
        self.loses_commits = False
        self.lost = 0
        self._connections: set[asyncio.Task[None]] = set()

    async def start(self) -> int:
        """The port that it listens on."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def stop(self) -> None:
        self._server.close()
        for connection in list(self._connections):
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def _lose(self, piece: bytes, lost: asyncio.Event) -> None:
        if self.loses_commits and b"COMMIT" in piece:
            self.lost += 1
            lost.set()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._pass(reader, writer))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Until either side has closed it, and that has got through."""
        try:
            with suppress(OSError):
                far_reader, far_writer = await asyncio.open_connection(*self._to)
                try:
                    lost = asyncio.Event()
                    there = self.there.carry(reader, far_writer, lambda piece: self._lose(piece, lost))
                    back = self.back.carry(far_reader, writer, lambda _: None)
                    parts: list[Coroutine[Any, Any, Any]] = [there, back, lost.wait()]
                    tasks = [asyncio.create_task(part) for part in parts]
                    try:
                        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                    finally:
                        for task in tasks:
                            task.cancel()
                        await asyncio.gather(*tasks, return_exceptions=True)
                finally:
                    far_writer.close()
        finally:
            writer.close()
