"""What leaves for a target that behaves, and what is made of its answer."""

from __future__ import annotations

import asyncio
import gzip
import json
from asyncio import StreamReader, StreamWriter

import pytest

from app.domain.run import Outcome
from app.target.caller import HttpTarget
from tests.unit.target.types import MakeCall, Serve

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def answer(body: bytes, status: str = "200 OK") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


async def test_a_call_is_one_plain_request(target: HttpTarget, serve: Serve, make_call: MakeCall) -> None:
    server, at = await serve(OK)
    outcome = await target.call(make_call(f"http://{at}/hook?a=%20b", headers={"X-Team": "billing"}))
    assert outcome == Outcome(error=None, status_code=200, response_excerpt="ok")

    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    first, *lines = head.decode("ascii").split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    assert first == "POST /hook?a=%20b HTTP/1.1"
    assert len(headers) == len(lines)
    assert headers.pop("traceparent").startswith("00-0193a1b2c3d48e5f9a0b1c2d3e4f5a6b-")
    assert headers == {
        "host": at,
        "user-agent": "cronledger/1.2.3",
        "accept": "*/*",
        "accept-encoding": "identity",
        "idempotency-key": "0193a1b2-c3d4-8e5f-9a0b-1c2d3e4f5a6b",
        "webhook-id": "0193a1b2-c3d4-8e5f-9a0b-1c2d3e4f5a6b",
        "webhook-timestamp": "1795510800",
        "cronledger-job": "nightly",
        "cronledger-scheduled-for": "2026-11-24T09:00:00Z",
        "cronledger-attempt": "2",
        "cronledger-trigger": "schedule",
        "x-team": "billing",
        "content-type": "application/json",
        "content-length": str(len(body)),
    }
    assert json.loads(body)["job"] == "nightly"


async def test_a_job_says_the_type_of_its_own_body(target: HttpTarget, serve: Serve, make_call: MakeCall) -> None:
    server, at = await serve(OK)
    await target.call(make_call(f"http://{at}/", body="<a/>", headers={"content-type": "text/xml"}))
    assert server.requests[0].lower().count(b"content-type:") == 1
    assert b"content-type: text/xml" in server.requests[0].lower()


async def test_a_get_has_neither_body_nor_type(target: HttpTarget, serve: Serve, make_call: MakeCall) -> None:
    server, at = await serve(OK)
    await target.call(make_call(f"http://{at}/", method="GET"))
    assert server.requests[0].endswith(b"\r\n\r\n")
    assert b"content-" not in server.requests[0].lower()


async def test_a_large_body_arrives_whole(target: HttpTarget, serve: Serve, make_call: MakeCall) -> None:
    server, at = await serve(OK)
    outcome = await target.call(make_call(f"http://{at}/", body="x" * 3_000_000))
    assert outcome.succeeded
    assert server.requests[0].endswith(b"x" * 3_000_000)


@pytest.mark.parametrize("status", ["200 OK", "201 Created", "299 Fine"])
async def test_two_hundreds_are_success(target: HttpTarget, serve: Serve, make_call: MakeCall, status: str) -> None:
    _, at = await serve(answer(b"", status))
    assert (await target.call(make_call(f"http://{at}/"))).succeeded


@pytest.mark.parametrize("code", [304, 400, 404, 429, 500, 503, 600])
async def test_any_other_status_is_a_failure(target: HttpTarget, serve: Serve, make_call: MakeCall, code: int) -> None:
    body = b"" if code == 304 else b"why"
    _, at = await serve(answer(body, f"{code} So"))
    outcome = await target.call(make_call(f"http://{at}/"))
    assert outcome == Outcome(error=f"status {code}", status_code=code, response_excerpt=body.decode() or None)


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(target: HttpTarget, serve: Serve, make_call: MakeCall, code: int) -> None:
    elsewhere, there = await serve(OK)
    head = f"HTTP/1.1 {code} Moved\r\nLocation: http://{there}/\r\nContent-Length: 0\r\n\r\n"
    server, at = await serve(head.encode())
    outcome = await target.call(make_call(f"http://{at}/"))
    assert (outcome.error, outcome.status_code) == (f"status {code}", code)
    assert (len(server.requests), elsewhere.connections) == (1, 0)


async def test_an_answer_to_head_has_no_body(target: HttpTarget, serve: Serve, make_call: MakeCall) -> None:
    _, at = await serve(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n")
    outcome = await target.call(make_call(f"http://{at}/", method="HEAD"))
    assert outcome == Outcome(error=None, status_code=200)


async def test_no_content_is_success(target: HttpTarget, serve: Serve, make_call: MakeCall) -> None:
    _, at = await serve(b"HTTP/1.1 204 No Content\r\n\r\n")
    assert await target.call(make_call(f"http://{at}/")) == Outcome(error=None, status_code=204)


async def test_an_answer_may_end_with_its_connection(target: HttpTarget, serve: Serve, make_call: MakeCall) -> None:
    _, at = await serve(b"HTTP/1.0 200 OK\r\n\r\nuntil the end")
    assert (await target.call(make_call(f"http://{at}/"))).response_excerpt == "until the end"


async def test_interim_answers_are_passed_over(target: HttpTarget, serve: Serve, make_call: MakeCall) -> None:
    _, at = await serve(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK)
    assert (await target.call(make_call(f"http://{at}/"))).status_code == 200


async def test_a_chunked_answer_is_read(target: HttpTarget, serve: Serve, make_call: MakeCall) -> None:
    _, at = await serve(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n")
    assert (await target.call(make_call(f"http://{at}/"))).response_excerpt == "abc"


async def test_cookies_are_not_kept(target: HttpTarget, serve: Serve, make_call: MakeCall) -> None:
    server, at = await serve(b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
    await target.call(make_call(f"http://{at}/"))
    await target.call(make_call(f"http://{at}/"))
    assert len(server.requests) == 2
    assert b"cookie" not in server.requests[1].lower()


async def test_a_proxy_in_the_environment_is_not_used(
    target: HttpTarget, serve: Serve, make_call: MakeCall, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy, through = await serve(OK)
    server, at = await serve(OK)
    monkeypatch.setenv("http_proxy", f"http://{through}")
    monkeypatch.setenv("no_proxy", "")
    await target.call(make_call(f"http://{at}/"))
    assert (len(server.requests), proxy.connections) == (1, 0)


@pytest.mark.parametrize(
    ("body", "excerpt"),
    [
        (b"", None),
        (b"a\0b\0", "a\\x00b\\x00"),
        (b"\x1b[2J\x7f\xc2\x9b31m", "\\x1b[2J\\x7f\\x9b31m"),
        ("to\u202egpj.exe\ufeff".encode(), "to\\u202egpj.exe\\ufeff"),
        (b"one\r\ntwo\rthree\tfour\n", "one\ntwo\\x0dthree\tfour\n"),
        (b"\0" * 2048, "\\x00" * 512),
        (b"a" * 5000, "a" * 2048),
        ("é".encode() * 2000, "é" * 1024),
        (b"a" + "é".encode() * 2000, "a" + "é" * 1023),
        ("€".encode() * 2000, "€" * 682),
        (b"\xff" * 2000, "\ufffd" * 682),
        (b"a\xffb", "a\ufffdb"),
    ],
)
async def test_an_excerpt_is_two_kilobytes_of_text(
    target: HttpTarget, serve: Serve, make_call: MakeCall, body: bytes, excerpt: str | None
) -> None:
    _, at = await serve(answer(body))
    assert (await target.call(make_call(f"http://{at}/"))).response_excerpt == excerpt


async def test_a_compressed_answer_is_not_unpacked(target: HttpTarget, serve: Serve, make_call: MakeCall) -> None:
    packed = gzip.compress(b"bomb" * 100_000)
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(packed)}\r\n\r\n"
    _, at = await serve(head.encode() + packed)
    outcome = await target.call(make_call(f"http://{at}/"))
    assert outcome.succeeded
    assert "bomb" not in (outcome.response_excerpt or "")


async def test_a_huge_answer_is_cut_off_and_counts_as_it_began(
    target: HttpTarget, serve: Serve, make_call: MakeCall
) -> None:
    sent = 0

    async def flood(reader: StreamReader, writer: StreamWriter) -> None:
        nonlocal sent
        await server.read(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 200000000\r\n\r\n")
        while sent < 200_000_000:
            writer.write(b"x" * 65_536)
            await writer.drain()
            sent += 65_536

    server, at = await serve(flood)
    outcome = await target.call(make_call(f"http://{at}/"))
    assert outcome == Outcome(error=None, status_code=200, response_excerpt="x" * 2048)
    async with asyncio.timeout(10):
        await server.gone.wait()
    assert sent < 20_000_000


async def test_a_target_that_answers_before_it_has_read_is_believed(
    target: HttpTarget, serve: Serve, make_call: MakeCall
) -> None:
    async def hasty(reader: StreamReader, writer: StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer(b"too much", "413 Content Too Large"))
        await writer.drain()
        await reader.read()

    _, at = await serve(hasty)
    outcome = await target.call(make_call(f"http://{at}/", body="x" * 20_000_000))
    assert outcome == Outcome(error="status 413", status_code=413, response_excerpt="too much")
