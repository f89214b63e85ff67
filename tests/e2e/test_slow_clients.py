"""Who connects and says nothing, or never comes to an end, is cut off."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
import uvicorn

from app import patience
from tests.e2e.client import eventually
from tests.servers.process import free_port

BOUND = 10.0


async def answer(scope: Any, _receive: Any, send: Any) -> None:
    if scope["path"] == "/slow":
        await asyncio.to_thread(_breathe, 0.5)
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body"})


@pytest.fixture
async def port(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[int]:
    monkeypatch.setattr(patience, "HEAD_SECONDS", 0.2)
    monkeypatch.setattr(patience, "LINGER_SECONDS", 0.2)
    port = free_port()
    config = uvicorn.Config(answer, port=port, http=patience.PatientProtocol, lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server._serve())

    async def started() -> bool:
        return server.started

    await eventually(started)
    yield port
    server.should_exit = True
    await serving


@pytest.mark.parametrize("said", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: a\r\n", b"GET / HTTP/1.1\r\nX-Slow: "])
async def test_a_head_that_does_not_end_is_not_waited_for(port: int, said: bytes) -> None:
    async with connected(port) as (reader, writer):
        writer.write(said)
        async with asyncio.timeout(BOUND):
            assert await reader.read() == b""


async def test_who_goes_on_slowly_gets_no_more_time(port: int) -> None:
    async with connected(port) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\n")

        async def drip() -> None:
            while True:
                writer.write(b"X: y\r\n")
                await asyncio.to_thread(_breathe)

        dripping = asyncio.create_task(drip())
        async with asyncio.timeout(BOUND):
            assert await reader.read() == b""
        dripping.cancel()


async def test_a_head_without_end_is_not_kept(port: int) -> None:
    async with connected(port) as (reader, writer):
        answered = asyncio.create_task(reader.readuntil(b"\r\n"))
        writer.write(b"GET / HTTP/1.1\r\nX-Large: ")
        async with asyncio.timeout(BOUND):
            while not answered.done():
                writer.write(b"x" * 16_384)
                await asyncio.to_thread(_breathe, 0.001)
        assert answered.result().startswith(b"HTTP/1.1 431")


@pytest.mark.parametrize("lines", [b"X: " + b"x" * 66_000 + b"\r\n", b"X: y\r\n" * 20_000, b"X: y\r\n" * 11_000])
async def test_nor_is_one_that_comes_in_one_piece(port: int, lines: bytes) -> None:
    async with connected(port) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\n" + lines + b"\r\nGET / HTTP/1.1\r\n\r\n")
        async with asyncio.timeout(BOUND):
            assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 431")


async def test_a_refusal_is_not_taken_for_the_answer_to_another_request(port: int) -> None:
    large = b"GET / HTTP/1.1\r\nX: " + b"x" * 66_000 + b"\r\n\r\n"
    for behind in (large, b"no HTTP\r\n\r\n"):
        async with connected(port) as (reader, writer):
            writer.write(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n" + behind)
            async with asyncio.timeout(BOUND):
                assert not (await reader.read()).startswith(b"HTTP/1.1 4")


async def test_a_body_that_can_not_be_read_is_told(port: int) -> None:
    async with connected(port) as (reader, writer):
        head = b"POST /slow HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        writer.write(head + b"no chunk\r\n")
        async with asyncio.timeout(BOUND):
            assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 400")


async def test_nor_is_a_path(port: int) -> None:
    async with connected(port) as (reader, writer):
        writer.write(b"GET /" + b"x" * 66_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n")
        async with asyncio.timeout(BOUND):
            assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 431")


@pytest.mark.parametrize(("begun", "more"), [(b"", b"Y: z\r\n" * 3000), (b"Y: ", b"y" * 16_000)])
async def test_trailers_without_end_are_not_kept(port: int, begun: bytes, more: bytes) -> None:
    async with connected(port) as (reader, writer):
        writer.write(b"POST /slow HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + begun)
        async with asyncio.timeout(BOUND):
            assert await _until_cut(reader, writer, more) == b""  # before there was an answer


async def test_what_comes_after_the_answer_is_not_read_for_ever(port: int) -> None:
    async with connected(port) as (reader, writer):
        writer.write(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
        async with asyncio.timeout(BOUND):
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 204")
            await _until_cut(reader, writer, b"5\r\nabcde\r\n")


async def test_a_byte_between_two_requests_does_not_hold_the_connection(port: int) -> None:
    async with connected(port) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        async with asyncio.timeout(BOUND):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"\r\n")
            assert await reader.read() == b""


async def test_a_large_head_and_a_large_body_are_read(port: int) -> None:
    async with connected(port) as (reader, writer):
        for _ in range(2):
            head = b"POST / HTTP/1.1\r\nX-Large: " + b"x" * 30_000 + b"\r\nContent-Length: 200000\r\n\r\n"
            writer.write(head + b"y" * 200_000)
            async with asyncio.timeout(BOUND):
                assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 204")


async def test_requests_one_after_another_on_one_connection_are_answered(port: int) -> None:
    async with connected(port) as (reader, writer):
        for _ in range(3):
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            async with asyncio.timeout(BOUND):
                assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 204")
            await asyncio.to_thread(_breathe, 0.15)


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def _until_cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, said: bytes) -> bytes:
    """Say it again and again; what was answered."""
    ended = asyncio.create_task(reader.read())
    while not ended.done():
        writer.write(said)
        await asyncio.to_thread(_breathe, 0.002)
    try:
        return ended.result()
    except ConnectionError:
        return b""


def _breathe(seconds: float = 0.02) -> None:
    import threading  # noqa: PLC0415

    threading.Event().wait(seconds)
