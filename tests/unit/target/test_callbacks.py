"""Calls of jobs whose target may answer 202, and call back."""

from __future__ import annotations

from asyncio import StreamReader, StreamWriter

from app.domain.success import Success
from app.target.caller import HttpTarget
from tests.unit.target.servers import Server
from tests.unit.target.types import MakeCall, OpenTarget, Serve

PUBLIC = "https://cron.example/here"
TOKEN = "t0ken"  # noqa: S105  # opens nothing
ACCEPTED = b"HTTP/1.1 202 Accepted\r\nContent-Length: 6\r\n\r\nqueued"


async def test_the_call_says_where_its_end_is_to_be_told(
    open_target: OpenTarget, serve: Serve, make_call: MakeCall
) -> None:
    target = await open_target(public_url=PUBLIC)
    server, at = await serve(ACCEPTED)
    call = make_call(f"http://{at}/", callback_token=TOKEN)
    outcome = await target.call(call)
    assert (outcome.accepted, outcome.error, outcome.succeeded) == (True, None, False)
    assert (outcome.status_code, outcome.response_excerpt) == (202, "queued")
    lines = server.requests[0].split(b"\r\n")
    assert f"Cronledger-Callback: {PUBLIC}/v1/callbacks/{call.run_id}/{TOKEN}".encode() in lines


async def test_without_a_token_202_is_a_success_like_another(
    target: HttpTarget, serve: Serve, make_call: MakeCall
) -> None:
    server, at = await serve(ACCEPTED)
    outcome = await target.call(make_call(f"http://{at}/"))
    assert (outcome.accepted, outcome.succeeded) == (False, True)
    assert b"Cronledger-Callback" not in server.requests[0]


async def test_another_2xx_is_a_success_at_once(open_target: OpenTarget, serve: Serve, make_call: MakeCall) -> None:
    target = await open_target(public_url=PUBLIC)
    _, at = await serve(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    outcome = await target.call(make_call(f"http://{at}/", callback_token=TOKEN))
    assert (outcome.accepted, outcome.succeeded) == (False, True)


async def test_202_is_a_promise_whatever_counts_as_success(
    open_target: OpenTarget, serve: Serve, make_call: MakeCall
) -> None:
    target = await open_target(public_url=PUBLIC)
    _, at = await serve(ACCEPTED)
    success = Success(status=("200",), body_contains="done")
    assert (await target.call(make_call(f"http://{at}/", callback_token=TOKEN, success=success))).accepted


async def test_202_is_a_promise_whatever_becomes_of_the_body(
    open_target: OpenTarget, serve: Serve, make_call: MakeCall
) -> None:
    async def promise_and_hang(reader: StreamReader, writer: StreamWriter) -> None:
        await server.read(reader)
        writer.write(b"HTTP/1.1 202 Accepted\r\nContent-Length: 100\r\n\r\nque")
        await writer.drain()
        await reader.read()

    target = await open_target(public_url=PUBLIC)
    server: Server
    server, at = await serve(promise_and_hang)
    outcome = await target.call(make_call(f"http://{at}/", callback_token=TOKEN, timeout_seconds=0.2))
    assert (outcome.accepted, outcome.response_excerpt) == (True, "que")


async def test_a_service_that_is_no_longer_told_its_address_calls_nobody(
    target: HttpTarget, serve: Serve, make_call: MakeCall
) -> None:
    server, at = await serve(ACCEPTED)
    outcome = await target.call(make_call(f"http://{at}/", callback_token=TOKEN))
    assert outcome.error == "refused: CRONLEDGER_PUBLIC_URL is not set, and the target could not call back."
    assert server.requests == []
