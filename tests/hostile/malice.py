"""A server that means harm: it answers what its path is listed with, or does what a handler says."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from asyncio import StreamReader, StreamWriter
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

from tests.unit.target.servers import Server

Behaviour = bytes | Callable[[StreamReader, StreamWriter], Awaitable[None]]
"""Bytes are the whole answer, and the connection ends behind them."""

HEAD = b"HTTP/1.1 200 OK\r\n"
BOMB = b"\0" * 50_000_000
_BLOCK = b"a" * 65_536


class Malice:
    """`calls` counts the requests by path."""

    def __init__(self, behaviours: Mapping[str, Behaviour]) -> None:
        self.calls: Counter[str] = Counter()
        self.requests: dict[str, bytes] = {}
        self.port = 0
        self._behaviours = behaviours
        self._server = Server(self._handle)

    async def start(self) -> None:
        self.port = await self._server.start()

    async def stop(self) -> None:
        await self._server.stop()

    async def _handle(self, reader: StreamReader, writer: StreamWriter) -> None:
        request = await self._server.read(reader)
        path = request.split(b" ", 2)[1].decode()
        self.calls[path] += 1
        self.requests[path] = request
        behaviour = self._behaviours[path.removeprefix("/")]
        if isinstance(behaviour, bytes):
            writer.write(behaviour)
            await writer.drain()
        else:
            await behaviour(reader, writer)


@asynccontextmanager
async def serving_malice(behaviours: Mapping[str, Behaviour]) -> AsyncIterator[Malice]:
    server = Malice(behaviours)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


def endless(begin: bytes, again: bytes, *, pause: float = 0) -> Behaviour:
    """The beginning, and then the same again for as long as somebody listens."""

    async def go_on(reader: StreamReader, writer: StreamWriter) -> None:
        writer.write(begin)
        gone = asyncio.ensure_future(reader.read(1))
        try:
            while not gone.done():
                writer.write(again)
                await writer.drain()
                await asyncio.wait([gone], timeout=pause)
        finally:
            gone.cancel()

    return go_on


async def silent(reader: StreamReader, _: StreamWriter) -> None:
    await reader.read(1)


def body(content: bytes, *headers: bytes) -> bytes:
    return b"\r\n".join([HEAD.strip(), *headers, b"Content-Length: %d" % len(content), b"", content])


def bomb(coding: str) -> bytes:
    packed = gzip.compress(BOMB) if coding == "gzip" else zlib.compress(BOMB)
    return body(packed, b"Content-Encoding: " + coding.encode())


def chunked(*parts: bytes) -> bytes:
    return HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"".join(parts)


def flood() -> Behaviour:
    return endless(HEAD + b"Content-Length: 999999999999\r\n\r\n", _BLOCK)


def flood_of_chunks() -> Behaviour:
    return endless(chunked(), b"10000\r\n" + _BLOCK + b"\r\n")
