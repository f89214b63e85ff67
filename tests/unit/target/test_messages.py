"""A target answers once; what it may send before that is bounded, lest reading it leave no time for anything else."""

from __future__ import annotations

import asyncio

import pytest

from app.domain.run import Outcome
from app.target.messages import MOST
from tests.unit.target.types import MakeCall, OpenTarget, Serve

INTERIM = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
TOO_MANY = f"protocol: the target sent {MOST} interim answers (1xx), and goes on"


async def test_interim_answers_are_waited_out(open_target: OpenTarget, serve: Serve, make_call: MakeCall) -> None:
    server, at = await serve(INTERIM * MOST + OK)
    target = await open_target()
    outcome = await target.call(make_call(f"http://{at}/"))
    assert (outcome.status_code, outcome.response_excerpt) == (200, "ok")
    assert len(server.requests) == 1


@pytest.mark.parametrize("interim", [INTERIM, b"HTTP/1.1 100 C\r\n\r\n", b"HTTP/1.1 199 X\r\n\r\n"])
async def test_more_of_them_end_the_call(
    open_target: OpenTarget, serve: Serve, make_call: MakeCall, interim: bytes
) -> None:
    _, at = await serve(interim * (MOST + 1) + OK)
    target = await open_target()
    assert await target.call(make_call(f"http://{at}/")) == Outcome(error=TOO_MANY)


async def test_each_request_of_a_connection_may_have_as_many(
    open_target: OpenTarget, serve: Serve, make_call: MakeCall
) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await server.read(reader):
            writer.write(INTERIM * MOST + OK)
            await writer.drain()

    server, at = await serve(answer)
    target = await open_target()
    for _ in range(2):
        assert (await target.call(make_call(f"http://{at}/"))).succeeded
    assert server.connections == 1


@pytest.mark.parametrize("status", [b"099 X", b"101 Switching Protocols", b"600 X", b"999 X"])
async def test_any_other_status_is_the_answer(
    open_target: OpenTarget, serve: Serve, make_call: MakeCall, status: bytes
) -> None:
    _, at = await serve(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n")
    target = await open_target()
    assert (await target.call(make_call(f"http://{at}/"))).error == f"status {int(status[:3])}"


@pytest.mark.parametrize("stray", [INTERIM * (MOST + 1), b"HTTP/1.1 418 No\r\nContent-Length: 0\r\n\r\n", OK])
async def test_an_answer_that_nobody_asked_for_is_not_the_next_one(
    open_target: OpenTarget, serve: Serve, make_call: MakeCall, stray: bytes
) -> None:
    idle, ended = asyncio.Event(), asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await server.read(reader)
        if server.connections > 1:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnext")
            return
        writer.write(OK)
        await idle.wait()
        writer.write(stray)
        if await reader.read() == b"":
            ended.set()

    server, at = await serve(answer)
    target = await open_target()
    assert (await target.call(make_call(f"http://{at}/"))).response_excerpt == "ok"
    idle.set()
    async with asyncio.timeout(1):  # an idle connection is kept for longer
        await ended.wait()
    assert (await target.call(make_call(f"http://{at}/"))).response_excerpt == "next"
