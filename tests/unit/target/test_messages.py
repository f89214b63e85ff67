"""A target answers once; what it may send before that is bounded, lest reading it leave no time for anything else."""

from __future__ import annotations

import asyncio

import pytest

from app.domain.run import Outcome
from app.target.messages import MOST
from tests.unit.target.types import MakeCall, OpenTarget, Serve

INTERIM = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
TOO_MANY = f"protocol: the target sent more than {MOST} messages (1xx) where one answer was asked for"


async def test_interim_answers_are_waited_out(open_target: OpenTarget, serve: Serve, make_call: MakeCall) -> None:
    server, at = await serve(INTERIM * (MOST - 1) + OK)
    target = await open_target()
    outcome = await target.call(make_call(f"http://{at}/"))
    assert (outcome.status_code, outcome.response_excerpt) == (200, "ok")
    assert len(server.requests) == 1


@pytest.mark.parametrize("interim", [INTERIM, b"HTTP/1.1 100 C\r\n\r\n", b"HTTP/1.1 199 X\r\n\r\n"])
async def test_more_of_them_end_the_call(
    open_target: OpenTarget, serve: Serve, make_call: MakeCall, interim: bytes
) -> None:
    _, at = await serve(interim * MOST + OK)
    target = await open_target()
    assert await target.call(make_call(f"http://{at}/")) == Outcome(error=TOO_MANY)


async def test_each_request_of_a_connection_may_have_as_many(
    open_target: OpenTarget, serve: Serve, make_call: MakeCall
) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await server.read(reader):
            writer.write(INTERIM * (MOST - 1) + OK)
            await writer.drain()

    server, at = await serve(answer)
    target = await open_target()
    for _ in range(2):
        assert (await target.call(make_call(f"http://{at}/"))).succeeded
    assert server.connections == 1


async def test_answers_that_nobody_asked_for_end_the_connection(
    open_target: OpenTarget, serve: Serve, make_call: MakeCall
) -> None:
    idle, ended = asyncio.Event(), asyncio.Event()

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await server.read(reader)
        writer.write(OK)
        await idle.wait()
        try:
            while True:
                writer.write(INTERIM * 100)
                await writer.drain()
                await asyncio.sleep(0)
        except ConnectionError:
            ended.set()

    server, at = await serve(flood)
    target = await open_target()
    assert (await target.call(make_call(f"http://{at}/"))).succeeded
    idle.set()
    async with asyncio.timeout(1):  # an idle connection is kept for longer
        await ended.wait()
