"""Every way in which a call fails ends as an Outcome that says which."""

from __future__ import annotations

import asyncio
import socket
from asyncio import StreamReader, StreamWriter

import pytest

from app.domain.run import Outcome
from app.target.caller import HttpTarget
from app.target.failure import explain
from tests.unit.target.servers import Names, authority, server_tls
from tests.unit.target.types import MakeCall, OpenTarget, Serve

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
HEAD = b"HTTP/1.1 200 OK\r\n"


def unused_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
    return port


async def test_nobody_listens(target: HttpTarget, make_call: MakeCall) -> None:
    outcome = await target.call(make_call(f"http://127.0.0.1:{unused_port()}/"))
    assert outcome == Outcome(error="connect: connection refused")


async def test_the_second_address_is_tried(open_target: OpenTarget, serve: Serve, make_call: MakeCall) -> None:
    server, at = await serve(OK)
    port = at.rpartition(":")[2]
    target = await open_target(resolver=Names(two_test=["127.0.0.2", "127.0.0.1"]))
    assert (await target.call(make_call(f"http://two.test:{port}/"))).succeeded
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "dns: name not found"),
        (socket.gaierror(socket.EAI_AGAIN, "Temporary failure"), "dns: temporary failure"),
        (OSError("no answer\nat all"), "dns: no answer at all"),
    ],
)
async def test_a_name_is_not_found(open_target: OpenTarget, make_call: MakeCall, error: OSError, said: str) -> None:
    target = await open_target(resolver=Names(hook_test=error))
    assert await target.call(make_call("http://hook.test/")) == Outcome(error=said)


async def test_the_deadline_covers_the_lookup(open_target: OpenTarget, make_call: MakeCall) -> None:
    target = await open_target(resolver=Names(hook_test=None))
    outcome = await target.call(make_call("http://hook.test/", timeout_seconds=0.1))
    assert outcome == Outcome(error="timeout after 0.1 s")


async def test_the_deadline_covers_a_silent_target(target: HttpTarget, serve: Serve, make_call: MakeCall) -> None:
    async def hang(reader: StreamReader, _: StreamWriter) -> None:
        await reader.read()
        server.gone.set()

    server, at = await serve(hang)
    outcome = await target.call(make_call(f"http://{at}/", timeout_seconds=0.1))
    assert outcome == Outcome(error="timeout after 0.1 s")
    async with asyncio.timeout(10):
        await server.gone.wait()


async def test_the_deadline_covers_a_silent_handshake(target: HttpTarget, serve: Serve, make_call: MakeCall) -> None:
    async def hang(reader: StreamReader, _: StreamWriter) -> None:
        while await reader.read(1024):
            pass

    _, at = await serve(hang)
    outcome = await target.call(make_call(f"https://{at}/", timeout_seconds=0.1))
    assert outcome == Outcome(error="timeout after 0.1 s")


async def test_a_dripping_answer_does_not_stretch_the_deadline(
    target: HttpTarget, serve: Serve, make_call: MakeCall
) -> None:
    async def drip(reader: StreamReader, writer: StreamWriter) -> None:
        await server.read(reader)
        writer.write(HEAD + b"Content-Length: 100000\r\n\r\n")
        hung_up = asyncio.create_task(reader.read())
        while not hung_up.done():
            writer.write(b".")
            await asyncio.wait({hung_up}, timeout=0.01)
        server.gone.set()

    server, at = await serve(drip)
    outcome = await target.call(make_call(f"http://{at}/", timeout_seconds=0.2))
    assert (outcome.error, outcome.status_code) == ("timeout after 0.2 s", 200)
    assert set(outcome.response_excerpt or "") == {"."}
    async with asyncio.timeout(10):
        await server.gone.wait()


async def test_endless_interim_answers_do_not_stretch_the_deadline(
    target: HttpTarget, serve: Serve, make_call: MakeCall
) -> None:
    async def stall(reader: StreamReader, writer: StreamWriter) -> None:
        await server.read(reader)
        while True:
            writer.write(b"HTTP/1.1 102 Processing\r\n\r\n")
            await writer.drain()
            await asyncio.wait({asyncio.create_task(server.gone.wait())}, timeout=0.01)

    server, at = await serve(stall)
    outcome = await target.call(make_call(f"http://{at}/", timeout_seconds=0.2))
    assert outcome == Outcome(error="timeout after 0.2 s")
    server.gone.set()


async def test_a_call_for_which_no_time_is_left_is_not_made(
    target: HttpTarget, serve: Serve, make_call: MakeCall
) -> None:
    server, at = await serve(OK)
    outcome = await target.call(make_call(f"http://{at}/", timeout_seconds=0))
    assert (outcome.error, server.requests) == ("timeout after 0 s", [])


async def test_a_bad_status_stands_though_the_body_never_ends(
    target: HttpTarget, serve: Serve, make_call: MakeCall
) -> None:
    async def half(reader: StreamReader, writer: StreamWriter) -> None:
        await server.read(reader)
        writer.write(b"HTTP/1.1 503 Busy\r\nContent-Length: 100\r\n\r\nlater")
        await reader.read()

    server, at = await serve(half)
    outcome = await target.call(make_call(f"http://{at}/", timeout_seconds=0.1))
    assert outcome == Outcome(error="status 503", status_code=503, response_excerpt="later")


async def test_a_protocol_switch_is_no_success(target: HttpTarget, serve: Serve, make_call: MakeCall) -> None:
    async def switch(reader: StreamReader, writer: StreamWriter) -> None:
        await server.read(reader)
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n")
        await reader.read()

    server, at = await serve(switch)
    outcome = await target.call(make_call(f"http://{at}/", timeout_seconds=5))
    assert (outcome.error, outcome.status_code) == ("status 101", 101)


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01garbage\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/9.9 200 OK\r\n\r\n",
        b"\r\n\r\n\r\n\r\nhello",
        HEAD + b"Content-Length: x\r\n\r\n",
        HEAD + b"Content-Length: -5\r\n\r\n",
        HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        HEAD + b"X: " + b"a" * 100_000 + b"\r\n\r\n",
        HEAD + b"".join(b"X-%d: a\r\n" % n for n in range(10_000)) + b"\r\n",
        HEAD + b"X" * 100_000,
        HEAD + b"no colon here\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
    ids=range(14),
)
async def test_an_answer_that_is_not_http(
    target: HttpTarget, serve: Serve, make_call: MakeCall, garbage: bytes
) -> None:
    _, at = await serve(garbage)
    outcome = await target.call(make_call(f"http://{at}/"))
    assert outcome.status_code is None
    assert outcome.error
    assert outcome.error.startswith("protocol: ")
    assert len(outcome.error) <= 300
    assert outcome.error.isprintable()
    assert not outcome.error.endswith(":")


@pytest.mark.parametrize(
    "body",
    [
        b"Content-Length: 10\r\n\r\nhal",
        b"Transfer-Encoding: chunked\r\n\r\n5\r\nhal",
    ],
)
async def test_an_answer_that_breaks_off(target: HttpTarget, serve: Serve, make_call: MakeCall, body: bytes) -> None:
    _, at = await serve(HEAD + body)
    outcome = await target.call(make_call(f"http://{at}/"))
    assert outcome.error == "protocol: the answer ended too early or can't be decoded"
    assert outcome.status_code == 200


async def test_a_connection_that_closes_without_an_answer(
    target: HttpTarget, serve: Serve, make_call: MakeCall
) -> None:
    _, at = await serve(b"")
    outcome = await target.call(make_call(f"http://{at}/"))
    assert outcome == Outcome(error="protocol: the connection was closed before an answer came")


async def test_a_connection_that_is_reset(target: HttpTarget, serve: Serve, make_call: MakeCall) -> None:
    async def reset(reader: StreamReader, writer: StreamWriter) -> None:
        await server.read(reader)
        server.reset(writer)

    server, at = await serve(reset)
    assert await target.call(make_call(f"http://{at}/")) == Outcome(error="protocol: connection reset by peer")


@pytest.mark.parametrize(
    ("certificate", "trusted", "host", "said"),
    [
        ("valid", "valid", "localhost", None),
        ("expired", "expired", "localhost", "tls: certificate has expired"),
        ("valid", None, "localhost", "tls: self-signed certificate"),
        ("valid", "valid", "other.test", "tls: Hostname mismatch, certificate is not valid for 'other.test'."),
    ],
)
async def test_a_certificate_is_verified(  # noqa: PLR0917 -- four fixtures, three values
    open_target: OpenTarget,
    serve: Serve,
    make_call: MakeCall,
    certificate: str,
    trusted: str | None,
    host: str,
    said: str | None,
) -> None:
    server, at = await serve(OK, tls=server_tls(certificate))
    port = at.rpartition(":")[2]
    names = Names(localhost=["127.0.0.1"], other_test=["127.0.0.1"])
    target = await open_target(resolver=names, ca_bundle=authority(trusted) if trusted else None)
    outcome = await target.call(make_call(f"https://{host}:{port}/"))
    assert outcome.error == said
    assert len(server.requests) == (1 if said is None else 0)


async def test_a_target_that_does_not_speak_tls(target: HttpTarget, serve: Serve, make_call: MakeCall) -> None:
    async def plain(reader: StreamReader, writer: StreamWriter) -> None:
        await reader.read(10)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    _, at = await serve(plain)
    outcome = await target.call(make_call(f"https://{at}/"))
    assert outcome.error
    assert outcome.error.startswith("tls: ")


@pytest.mark.parametrize("endpoint", ["", "garbage", "ws://h/", "http://h\\@127.0.0.1/", "http://u:p@127.0.0.1/"])
async def test_an_endpoint_that_is_none_is_refused(target: HttpTarget, make_call: MakeCall, endpoint: str) -> None:
    outcome = await target.call(make_call(endpoint))
    assert outcome.error
    assert outcome.error.startswith("refused: endpoint: ")


@pytest.mark.parametrize("changes", [{"body": {1, 2}}, {"body": "\ud800"}, {"headers": {"X": "a\r\nb: c"}}])
async def test_what_cannot_be_sent_is_said_and_not_sent(
    target: HttpTarget, serve: Serve, make_call: MakeCall, changes: dict[str, object]
) -> None:
    server, at = await serve(OK)
    outcome = await target.call(make_call(f"http://{at}/", **changes))
    assert outcome.error
    assert outcome.error.startswith("internal: ")
    assert server.requests == []


def test_an_explanation_is_one_short_line() -> None:
    said = explain(ValueError("a\nb\0" * 1000))
    assert said.startswith("internal: ValueError: a b a b ")
    assert len(said) == 300


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 9000 + b"\r\n\r\n", "Got more than 8190 bytes when reading"),
        (b"HTTP/1.1 " + b"2" * 9000 + b"\r\n\r\n", "Bad status line"),
        (b"HTTP/1.1 200 " + b"x" * 9000 + b"\r\n\r\n", "Got more than 8190 bytes when reading"),
        (b"HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n", "Invalid HTTP header"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "Bad status line"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            "Transfer-Encoding can't be present with Content-Length",
        ),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n",
            "Content-Length can't be present with Transfer-Encoding",
        ),
    ],
)
async def test_what_is_wrong_with_an_answer_is_told_without_it(
    target: HttpTarget, serve: Serve, make_call: MakeCall, answer: bytes, said: str
) -> None:
    _, at = await serve(answer)
    outcome = await target.call(make_call(f"http://{at}/"))
    assert outcome.error == f"protocol: the answer is not HTTP/1.1: {said}"
