"""What a job takes for success, against servers that answer otherwise."""

from __future__ import annotations

import asyncio
from asyncio import StreamReader, StreamWriter
from datetime import timedelta
from typing import Any

import pytest

from app.domain.run import Outcome
from app.domain.success import Success
from app.target.caller import HttpTarget
from tests.unit.target.types import MakeCall, Serve

MEGABYTE = 2**20


def answer(status: str, body: bytes = b"", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


@pytest.mark.parametrize(
    ("success", "status", "error"),
    [
        (("2xx",), 202, None),
        (("2xx",), 302, "status 302"),
        (("2xx",), 500, "status 500"),
        (("2xx", "409"), 409, None),
        (("2xx", "409"), 404, "status 404"),
        (("3xx",), 302, None),
        (("200",), 201, "status 201"),
        (("5xx",), 503, None),
        (("5xx",), 200, "status 200"),
    ],
)
async def test_the_job_says_which_status_is_success(  # noqa: PLR0917 -- three fixtures, three values
    target: HttpTarget, serve: Serve, make_call: MakeCall, success: tuple[str, ...], status: int, error: str | None
) -> None:
    server, at = await serve(answer(f"{status} X", b"", "Location: /elsewhere"))
    outcome = await target.call(make_call(f"http://{at}/", success=Success(status=success)))
    assert (outcome.error, outcome.status_code) == (error, status)
    assert len(server.requests) == 1  # no redirect is followed


@pytest.mark.parametrize(
    ("success", "error"),
    [
        ({"body_contains": "state"}, None),
        ({"body_contains": "ünlaut"}, None),
        ({"body_contains": "State"}, "body: the body does not contain what body_contains asks for"),
        ({"body_json": {"/state": "done", "/tries": 2.0}}, None),
        ({"body_json": {"/tries": True}}, "body: /tries is not what body_json asks for"),
        ({"body_json": {"": {}}}, "body: the whole is not what body_json asks for"),
        ({"body_contains": "done", "body_json": {"/state": "open"}}, "body: /state is not what body_json asks for"),
        ({"body_json": {"/a\nb": 1}}, "body: /a b is not what body_json asks for"),
    ],
)
async def test_the_body_is_judged(
    target: HttpTarget, serve: Serve, make_call: MakeCall, success: dict[str, Any], error: str | None
) -> None:
    _, at = await serve(answer("200 OK", '{"state": "done", "tries": 2, "by": "ünlaut"}'.encode()))
    outcome = await target.call(make_call(f"http://{at}/", success=Success(**success)))
    assert outcome.error == error
    assert outcome.status_code == 200
    assert outcome.response_excerpt
    assert outcome.kind == (error and "body")


async def test_a_bad_status_is_the_failure_whatever_the_body_says(
    target: HttpTarget, serve: Serve, make_call: MakeCall
) -> None:
    _, at = await serve(answer("500 X", b"done"))
    outcome = await target.call(make_call(f"http://{at}/", success=Success(body_contains="done")))
    assert outcome.error == "status 500"


async def test_a_body_that_breaks_off_is_not_judged(target: HttpTarget, serve: Serve, make_call: MakeCall) -> None:
    _, at = await serve(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\ndone")
    outcome = await target.call(make_call(f"http://{at}/", success=Success(body_contains="done")))
    assert outcome.kind == "protocol"


@pytest.mark.parametrize("body", [b"not json", b"\xff\xfe\xfa", b"[" * 60_000, b"1" * 5000, b""])
async def test_a_body_that_is_no_json_is_a_failure(
    target: HttpTarget, serve: Serve, make_call: MakeCall, body: bytes
) -> None:
    _, at = await serve(answer("200 OK", body))
    outcome = await target.call(make_call(f"http://{at}/", success=Success(body_json={"/a": 1})))
    assert outcome.error == "body: the body is not JSON, as body_json asks for"


@pytest.mark.parametrize(
    ("before", "error"),
    [
        (64 * 1024 - 4, None),
        (
            64 * 1024 - 3,
            "body: the body does not contain what body_contains asks for, of which the first 64 KiB are read",
        ),
    ],
)
async def test_the_first_64_kib_of_a_body_are_judged(
    target: HttpTarget, serve: Serve, make_call: MakeCall, before: int, error: str | None
) -> None:
    _, at = await serve(answer("200 OK", b"." * before + b"done" + b"." * 100))
    outcome = await target.call(make_call(f"http://{at}/", success=Success(body_contains="done")))
    assert outcome.error == error
    assert outcome.response_excerpt == "." * 2048


@pytest.mark.parametrize("success", [Success(), Success(body_contains="begins")])
async def test_of_200_megabytes_no_more_is_read_than_is_needed(
    target: HttpTarget, serve: Serve, make_call: MakeCall, success: Success
) -> None:
    sent = 0

    async def flood(reader: StreamReader, writer: StreamWriter) -> None:
        nonlocal sent
        await server.read(reader)
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {200 * MEGABYTE}\r\n\r\nbegins".encode())
        while sent < 200 * MEGABYTE:
            writer.write(b"." * MEGABYTE)
            await writer.drain()
            sent += MEGABYTE

    server, at = await serve(flood)
    outcome = await target.call(make_call(f"http://{at}/", success=success))
    assert (outcome.succeeded, len(outcome.response_excerpt or "")) == (True, 2048)
    async with asyncio.timeout(10):
        await server.gone.wait()
    assert sent < 20 * MEGABYTE


@pytest.mark.parametrize("status", ["429 Slow down", "503 Busy", "302 Found"])
async def test_a_failure_says_how_long_it_asks_to_be_left_alone(
    target: HttpTarget, serve: Serve, make_call: MakeCall, status: str
) -> None:
    _, at = await serve(answer(status, b"", "Retry-After: 120"))
    assert (await target.call(make_call(f"http://{at}/"))).retry_after == timedelta(minutes=2)


@pytest.mark.parametrize("value", ["soon", "-1", "\xb2"])
async def test_a_retry_after_that_is_none_is_passed_over(
    target: HttpTarget, serve: Serve, make_call: MakeCall, value: str
) -> None:
    _, at = await serve(answer("429 Slow down", b"", f"Retry-After: {value}"))
    assert await target.call(make_call(f"http://{at}/")) == Outcome(error="status 429", status_code=429)


async def test_a_success_asks_for_no_wait(target: HttpTarget, serve: Serve, make_call: MakeCall) -> None:
    _, at = await serve(answer("202 Accepted", b"", "Retry-After: 120"))
    assert await target.call(make_call(f"http://{at}/")) == Outcome(error=None, status_code=202)
