"""Redirects: where they lead is judged like an endpoint, and secrets stay at home."""

from __future__ import annotations

from asyncio import StreamReader, StreamWriter
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import cast

import pytest
from aiohttp import ClientResponse
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from app.domain.revealed import Revealed, plain
from app.domain.run import Call, Outcome
from app.target.address import Targets
from app.target.caller import HttpTarget
from app.target.endpoint import EndpointFault, canonical_endpoint, canonical_location
from app.target.headers import call_headers
from app.target.hop import Hop
from app.target.reach import Reach
from app.target.rule import read_rules
from tests.unit.target.servers import Names, authority, server_tls
from tests.unit.target.types import MakeCall, OpenTarget, Serve

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
SECRETS = {"Authorization": "Bearer s", "Cookie": "s=1", "X-Api-Key": "s", "Accept": "text/plain"}


def to(location: str, status: int = 302) -> bytes:
    return f"HTTP/1.1 {status} Moved\r\nLocation: {location}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()


def lines(request: bytes) -> list[bytes]:
    return request.lower().partition(b"\r\n\r\n")[0].split(b"\r\n")


@pytest.mark.parametrize(
    ("status", "method", "becomes"),
    [
        (301, "POST", "GET"),
        (302, "POST", "GET"),
        (303, "POST", "GET"),
        (307, "POST", "POST"),
        (308, "POST", "POST"),
        (301, "PUT", "PUT"),
        (302, "DELETE", "DELETE"),
        (303, "PUT", "GET"),
        (303, "HEAD", "HEAD"),
        (307, "HEAD", "HEAD"),
        (302, "GET", "GET"),
    ],
)
async def test_the_next_request_is_what_the_status_says(  # noqa: PLR0917 -- three fixtures, three values
    target: HttpTarget, serve: Serve, make_call: MakeCall, status: int, method: str, becomes: str
) -> None:
    there, at = await serve(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    _, first = await serve(to(f"http://{at}/new", status))
    call = make_call(f"http://{first}/", method=method, body={"a": 1}, max_redirects=1)
    assert (await target.call(call)).succeeded
    [request] = there.requests
    assert request.startswith(f"{becomes} /new HTTP/1.1\r\n".encode())
    assert request.endswith(b'{"a":1}') == (becomes == method)
    assert (b"content-type: application/json" in lines(request)) == (becomes == method)


async def test_what_is_relative_stays_at_its_host(target: HttpTarget, serve: Serve, make_call: MakeCall) -> None:
    answers = [to("../new?a=1#part", 307), OK]

    async def handle(reader: StreamReader, writer: StreamWriter) -> None:
        await server.read(reader)
        writer.write(answers[len(server.requests) - 1])

    server, at = await serve(handle)
    outcome = await target.call(make_call(f"http://{at}/a/b/c", headers=SECRETS, max_redirects=1))
    assert outcome == Outcome(error=None, status_code=200, response_excerpt="ok")
    assert server.requests[1].startswith(b"POST /a/new?a=1 HTTP/1.1\r\n")
    assert b"authorization: bearer s" in lines(server.requests[1])


async def test_another_origin_gets_no_credentials(target: HttpTarget, serve: Serve, make_call: MakeCall) -> None:
    there, at = await serve(OK)
    _, first = await serve(to(f"http://{at}/", 307))
    await target.call(make_call(f"http://{first}/", headers=SECRETS | {"idempotency-key": "x"}, max_redirects=1))
    sent = lines(there.requests[0])
    assert b"accept: text/plain" in sent
    assert b"idempotency-key: 0193a1b2-c3d4-8e5f-9a0b-1c2d3e4f5a6b" in sent
    assert not [line for line in sent if line.startswith((b"authorization", b"cookie", b"x-api-key"))]


async def test_what_was_dropped_stays_dropped(open_target: OpenTarget, serve: Serve, make_call: MakeCall) -> None:
    target = await open_target(resolver=Names(one_test=["127.0.0.1"], two_test=["127.0.0.1"]))

    async def handle(reader: StreamReader, writer: StreamWriter) -> None:
        await server.read(reader)
        answers = [to(f"http://two.test:{port}/", 307), to(f"http://one.test:{port}/", 307), OK]
        writer.write(answers[len(server.requests) - 1])

    server, at = await serve(handle)
    port = at.rpartition(":")[2]
    call = make_call(f"http://one.test:{port}/", headers=SECRETS, callback_token="t", max_redirects=2)  # noqa: S106
    target._public_url = "http://me.test"
    assert (await target.call(call)).succeeded
    told = [b"authorization: bearer s" in lines(request) for request in server.requests]
    assert told == [True, False, False]
    called_back = [any(line.startswith(b"cronledger-callback") for line in lines(each)) for each in server.requests]
    assert called_back == [True, False, False]


async def test_one_redirect_more_than_allowed_is_the_answer(
    target: HttpTarget, serve: Serve, make_call: MakeCall
) -> None:
    server, at = await serve(to("/again"))
    outcome = await target.call(make_call(f"http://{at}/", max_redirects=3))
    assert outcome == Outcome(error="status 302", status_code=302)
    assert len(server.requests) == 4


@pytest.mark.parametrize(
    "answer", [b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n", to(""), to("/", 304), to("/", 300)]
)
async def test_what_leads_nowhere_is_the_answer(
    target: HttpTarget, serve: Serve, make_call: MakeCall, answer: bytes
) -> None:
    server, at = await serve(answer)
    outcome = await target.call(make_call(f"http://{at}/", max_redirects=3))
    assert outcome.error == f"status {outcome.status_code}"
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("location", "said"),
    [
        ("http://127.0.0.2/", "redirect: 127.0.0.2 is a loopback address"),
        ("//127.0.0.2/", "redirect: 127.0.0.2 is a loopback address"),
        ("http://169.254.169.254/latest/", "redirect: 169.254.169.254 is a metadata address"),
        ("http://good.test:22/", "redirect: port 22 is closed by CRONLEDGER_TARGETS_DENY"),
        ("http://bad.test/", "redirect: 127.0.0.2 is a loopback address"),
        ("ftp://good.test/", "redirect: its Location does not begin with http:// or https://"),
        ("http://u:p@good.test/", "redirect: its Location holds a user name or password"),
        ("http://good.test\\@127.0.0.1/", "redirect: "),
        ("http://2130706433/", "redirect: its Location names no IP address"),
    ],
)
async def test_each_hop_is_judged(
    open_target: OpenTarget, serve: Serve, make_call: MakeCall, location: str, said: str
) -> None:
    server, at = await serve(to(location))
    reach = Reach(Targets.PUBLIC, read_rules("127.0.0.1"), read_rules(":22"))
    target = await open_target(reach, resolver=Names(good_test=["127.0.0.1"], bad_test=["127.0.0.2"]))
    outcome = await target.call(make_call(f"http://{at}/", max_redirects=3))
    assert outcome.error
    assert outcome.error.startswith(f"refused: {said}")
    assert len(server.requests) == 1


async def test_several_locations_are_none(target: HttpTarget, serve: Serve, make_call: MakeCall) -> None:
    server, at = await serve(to("/one\r\nLocation: /two"))
    call = make_call(f"http://{at}/", max_redirects=3)
    assert (await target.call(call)).error == "refused: redirect: it has several Locations"
    assert len(server.requests) == 1


async def test_a_redirect_does_not_leave_tls(open_target: OpenTarget, serve: Serve, make_call: MakeCall) -> None:
    there, at = await serve(OK)
    _, first = await serve(to(f"http://{at}/"), tls=server_tls("valid"))
    target = await open_target(resolver=Names(localhost=["127.0.0.1"]), ca_bundle=authority("valid"))
    call = make_call(f"https://localhost:{first.rpartition(':')[2]}/", max_redirects=3)
    assert (await target.call(call)).error == "refused: redirect: from https to http"
    assert there.connections == 0


@pytest.mark.parametrize(
    "location", ["http:evil.test", "http:/evil.test", "http:///evil.test", "///evil.test", "javascript:alert(1)", "//["]
)
def test_a_location_that_two_parsers_read_differently_is_none(location: str) -> None:
    with pytest.raises(EndpointFault):
        canonical_location(location, "http://good.test/a/b")


@pytest.mark.parametrize(
    ("endpoint", "location", "kept"),
    [
        ("http://h.test/", "http://h.test:80/", True),
        ("http://h.test/", "http://h.test./", True),
        ("http://h.test:443/", "https://h.test/", False),
        ("http://h.test/", "http://h.test:81/", False),
        ("http://h.test/", "http://a.h.test/", False),
        ("https://h.test/", "https://h.test:443/b", True),
    ],
)
def test_an_origin_is_scheme_host_and_port(make_call: MakeCall, endpoint: str, location: str, *, kept: bool) -> None:
    call = make_call(endpoint, headers=SECRETS)
    response = cast("ClientResponse", SimpleNamespace(status=307, headers=CIMultiDict(Location=location)))
    hop = Hop.first(plain(call), call_headers(plain(call), datetime(2026, 11, 24, tzinfo=UTC)), None).onward(response)
    assert hop
    assert ("Authorization" in hop.headers) is kept


@given(st.one_of(st.text(max_size=40), st.text(alphabet="abc.:/@[]?#%\\0123 htp-é。\t&=", max_size=30)))
def test_any_location_is_a_canonical_endpoint_or_none(location: str) -> None:
    try:
        url = canonical_location(location, "http://good.test/a/b?c")
    except EndpointFault:
        return
    assert canonical_endpoint(url) == url


async def test_secrets_in_a_body_are_not_sent_to_another_host(
    open_target: OpenTarget, serve: Serve, make_call: MakeCall
) -> None:
    async def reveal(call: Call) -> Revealed:
        return Revealed(call=call, headers={}, body={"token": "s3cr3t"}, hidden=frozenset({"s3cr3t"}), in_body=True)

    there, at = await serve(OK)
    _, first = await serve(to(f"http://{at}/new", 307))
    target = await open_target(reveal=reveal)
    outcome = await target.call(make_call(f"http://{first}/", max_redirects=1))
    assert outcome.error == "refused: redirect: to another host, with secrets in the body"
    assert there.connections == 0


async def test_a_secret_in_an_open_header_stays_at_home(
    open_target: OpenTarget, serve: Serve, make_call: MakeCall
) -> None:
    async def reveal(call: Call) -> Revealed:
        return Revealed(call=call, headers={"Accept": "s3cr3t", "Accept-Language": "de"}, body=None)

    there, at = await serve(OK)
    _, first = await serve(to(f"http://{at}/new"))
    target = await open_target(reveal=reveal)
    headers = {"Accept": {"secret": "token"}, "Accept-Language": "de"}
    assert (await target.call(make_call(f"http://{first}/", headers=headers, max_redirects=1))).succeeded
    assert b"s3cr3t" not in there.requests[0]
    assert b"Accept-Language: de" in there.requests[0]


async def test_what_becomes_a_get_goes_without_them(open_target: OpenTarget, serve: Serve, make_call: MakeCall) -> None:
    async def reveal(call: Call) -> Revealed:
        headers = {"Authorization": "Bearer s3cr3t"}
        return Revealed(call=call, headers=headers, body={"token": "s3cr3t"}, in_body=True)

    there, at = await serve(OK)
    _, first = await serve(to(f"http://{at}/new", 302))
    target = await open_target(reveal=reveal, signing_keys=[f"whsec_{'A' * 32}"])
    outcome = await target.call(make_call(f"http://{first}/", max_redirects=1))
    assert outcome.succeeded
    assert b"s3cr3t" not in there.requests[0]
    assert b"webhook-signature" not in there.requests[0].lower()


async def test_a_signature_goes_with_its_body_and_no_further(
    open_target: OpenTarget, serve: Serve, make_call: MakeCall
) -> None:
    """At home too."""
    answers = iter([307, 302])

    async def moved(reader: StreamReader, writer: StreamWriter) -> None:
        await server.read(reader)
        status = next(answers, None)
        writer.write(OK if status is None else to("/again", status))
        await writer.drain()

    server, at = await serve(moved)
    target = await open_target(signing_keys=[f"whsec_{'A' * 32}"])
    assert (await target.call(make_call(f"http://{at}/", max_redirects=2))).succeeded
    signed = [b"webhook-signature" in request.lower() for request in server.requests]
    assert signed == [True, True, False]
