from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from faults.proxy import Proxy

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture
async def proxy() -> AsyncIterator[tuple[Proxy, list[bytes], Connection]]:
    """Before a server that answers with what it hears, what it has heard, and a connection."""
    heard: list[bytes] = []

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await reader.read(100):
            heard.append(piece)
            writer.write(piece)
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    made = Proxy(server.sockets[0].getsockname()[1])
    reader, writer = await asyncio.open_connection("127.0.0.1", await made.start())
    yield made, heard, (reader, writer)
    writer.close()
    await made.stop()
    server.close()


async def hears(connection: Connection, said: bytes, within: float = 5) -> bytes:
    connection[1].write(said)
    async with asyncio.timeout(within):
        return await connection[0].read(100)


async def test_what_passes_comes_through(proxy: tuple[Proxy, list[bytes], Connection]) -> None:
    assert await hears(proxy[2], b"hello") == b"hello"


async def test_a_commit_gets_there_and_its_answer_is_lost(proxy: tuple[Proxy, list[bytes], Connection]) -> None:
    made, heard, connection = proxy
    made.loses_commits = True
    assert await hears(connection, b"SELECT") == b"SELECT"
    assert await hears(connection, b"COMMIT;") == b""
    assert heard == [b"SELECT", b"COMMIT;"]


async def test_a_delay_delays(proxy: tuple[Proxy, list[bytes], Connection]) -> None:
    made, _, connection = proxy
    made.back.seconds = 0.3
    with pytest.raises(TimeoutError):
        await hears(connection, b"slow", within=0.15)
    async with asyncio.timeout(5):
        assert await connection[0].read(100) == b"slow"
