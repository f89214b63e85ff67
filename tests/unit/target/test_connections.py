"""Connections: kept, dropped, never used for the same call twice."""

from __future__ import annotations

import asyncio
from asyncio import StreamReader, StreamWriter

import pytest

from app.domain.run import Outcome
from app.target.caller import HttpTarget
from tests.unit.target.servers import Names
from tests.unit.target.types import MakeCall, OpenTarget, Serve

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
METHODS = ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "POST", "PATCH"]


async def test_a_connection_is_kept_for_the_next_call(target: HttpTarget, serve: Serve, make_call: MakeCall) -> None:
    async def answering(reader: StreamReader, writer: StreamWriter) -> None:
        while True:
            await server.read(reader)
            writer.write(OK)

    server, at = await serve(answering)
    for _ in range(3):
        assert (await target.call(make_call(f"http://{at}/"))).succeeded
    assert (len(server.requests), server.connections) == (3, 1)


@pytest.mark.parametrize("method", METHODS)
async def test_a_call_does_not_leave_twice_when_a_kept_connection_drops(
    target: HttpTarget, serve: Serve, make_call: MakeCall, method: str
) -> None:
    async def once(reader: StreamReader, writer: StreamWriter) -> None:
        await server.read(reader)
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        await server.read(reader)

    server, at = await serve(once)
    assert (await target.call(make_call(f"http://{at}/", method=method))).succeeded
    outcome = await target.call(make_call(f"http://{at}/", method=method))
    assert outcome == Outcome(error="protocol: the connection was closed before an answer came")
    assert (len(server.requests), server.connections) == (2, 1)


@pytest.mark.parametrize("method", METHODS)
async def test_a_call_does_not_leave_twice_when_a_kept_connection_is_reset(
    target: HttpTarget, serve: Serve, make_call: MakeCall, method: str
) -> None:
    async def once(reader: StreamReader, writer: StreamWriter) -> None:
        await server.read(reader)
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        await server.read(reader)
        server.reset(writer)

    server, at = await serve(once)
    assert (await target.call(make_call(f"http://{at}/", method=method))).succeeded
    outcome = await target.call(make_call(f"http://{at}/", method=method))
    assert outcome == Outcome(error="protocol: connection reset by peer")
    assert (len(server.requests), server.connections) == (2, 1)


async def test_a_connection_that_was_closed_while_idle_fails_no_call(
    target: HttpTarget, serve: Serve, make_call: MakeCall
) -> None:
    closed = asyncio.Event()

    async def answer_and_close(reader: StreamReader, writer: StreamWriter) -> None:
        await server.read(reader)
        writer.write(OK)
        writer.close()
        await writer.wait_closed()
        closed.set()

    server, at = await serve(answer_and_close)
    _, elsewhere = await serve(OK)
    assert (await target.call(make_call(f"http://{at}/"))).succeeded
    async with asyncio.timeout(10):
        await closed.wait()
    await target.call(make_call(f"http://{elsewhere}/"))  # a round trip, in which the loop learns of the close
    assert (await target.call(make_call(f"http://{at}/"))).succeeded
    assert (len(server.requests), server.connections) == (2, 2)


async def test_a_cancelled_call_raises_and_hangs_up(target: HttpTarget, serve: Serve, make_call: MakeCall) -> None:
    arrived = asyncio.Event()

    async def hang(reader: StreamReader, _: StreamWriter) -> None:
        await server.read(reader)
        arrived.set()
        await reader.read()
        server.gone.set()

    server, at = await serve(hang)
    call = asyncio.create_task(target.call(make_call(f"http://{at}/")))
    async with asyncio.timeout(10):
        await arrived.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await server.gone.wait()


async def test_hundreds_of_calls_run_at_once(target: HttpTarget, serve: Serve, make_call: MakeCall) -> None:
    everybody = asyncio.Barrier(300)

    async def wait_for_all(reader: StreamReader, writer: StreamWriter) -> None:
        await server.read(reader)
        await everybody.wait()
        writer.write(OK)

    server, at = await serve(wait_for_all)
    outcomes = await asyncio.gather(*(target.call(make_call(f"http://{at}/")) for _ in range(300)))
    assert all(outcome.succeeded for outcome in outcomes)


async def test_opening_and_closing_twice_is_harmless(
    open_target: OpenTarget, serve: Serve, make_call: MakeCall
) -> None:
    _, at = await serve(OK)
    names = Names()
    target = await open_target(resolver=names)
    await target.open()
    assert (await target.call(make_call(f"http://{at}/"))).succeeded
    await target.close()
    await target.close()
    assert names.closed


async def test_a_closed_target_fails_the_call(open_target: OpenTarget, make_call: MakeCall) -> None:
    target = await open_target()
    await target.close()
    assert (await target.call(make_call())).error == "internal: RuntimeError: The target is not open."


async def test_a_connection_that_idled_past_its_limit_is_not_used_again(
    open_target: OpenTarget, serve: Serve, make_call: MakeCall, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def answering(reader: StreamReader, writer: StreamWriter) -> None:
        while True:
            await server.read(reader)
            writer.write(OK)

    server, at = await serve(answering)
    monkeypatch.setattr("app.target.session._KEEP_ALIVE_SECONDS", 0.0)
    target = await open_target()
    for _ in range(2):
        assert (await target.call(make_call(f"http://{at}/"))).succeeded
    assert server.connections == 2
