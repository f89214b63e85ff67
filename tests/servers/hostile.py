"""A target that does to its callers what its path says, over real sockets."""

from __future__ import annotations

import asyncio
from collections import Counter

from tests.unit.target.servers import Server

_EMPTY = b"HTTP/1.1 %s\r\nContent-Length: 0\r\n%s\r\n"
_PLAIN = {
    "/ok": (b"200 OK", b""),
    "/202": (b"202 Accepted", b""),
    "/302": (b"302 Found", b"Location: /ok\r\n"),
    "/429": (b"429 Too Many Requests", b"Retry-After: 2\r\n"),
    "/500": (b"500 Internal Server Error", b""),
}
_MEGABYTE = bytes(1024 * 1024)


class Hostile:
    """`calls` counts the requests by path, `most_at_once` how many were under way together."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.most_at_once: Counter[str] = Counter()
        self._under_way: Counter[str] = Counter()
        self._server = Server(self._handle)
        self.url = ""

    async def start(self) -> None:
        self.url = f"http://127.0.0.1:{await self._server.start()}"

    async def stop(self) -> None:
        await self._server.stop()

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            request = await self._server.read(reader)
            path = request.split(b" ", 2)[1].decode()
            self.calls[path] += 1
            self._under_way[path] += 1
            self.most_at_once[path] = max(self.most_at_once[path], self._under_way[path])
            try:
                if not await self._answer(path, reader, writer):
                    return
            finally:
                self._under_way[path] -= 1

    async def _answer(self, path: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Whether the connection can be kept. `/hang/...` and `/drip/...` are told apart by what follows."""
        kind = path.split("/")[1]
        if kind == "hang":
            await reader.read(1)  # until the caller hangs up
        elif kind == "reset":
            self._server.reset(writer)
        elif kind == "drip":
            await _drip(reader, writer)
        elif kind == "200mb":
            await _pour(writer)
        else:
            writer.write(_EMPTY % _PLAIN[f"/{kind}"])
            await writer.drain()
            return True
        return False


async def _drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A byte now and then, for as long as somebody listens."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    gone = asyncio.ensure_future(reader.read(1))
    while not gone.done():
        writer.write(b".")
        await asyncio.wait([gone], timeout=0.2)


async def _pour(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (200 * len(_MEGABYTE)))
    for _ in range(200):
        writer.write(_MEGABYTE)
        await writer.drain()
