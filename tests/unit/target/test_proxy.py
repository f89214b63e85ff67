"""The operator's proxy: every call goes through it, and no target learns how it is asked."""

from __future__ import annotations

import pytest

from app.domain.run import Outcome
from app.target.address import Targets
from app.target.proxy import read_proxy
from app.target.reach import Reach
from app.target.rule import read_rules
from tests.servers.tunnel import Tunnel
from tests.unit.target.servers import Names, authority, server_tls
from tests.unit.target.types import MakeCall, OpenTarget, Serve

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
BASIC = b"proxy-authorization: basic bWU6YTpi".lower()


async def test_a_call_in_the_clear_is_asked_of_the_proxy(
    open_target: OpenTarget, serve: Serve, make_call: MakeCall
) -> None:
    proxy, at = await serve(OK)
    target = await open_target(Targets.PUBLIC, resolver=Names(), proxy=read_proxy(f"http://me:a%3Ab@{at}"))
    assert (await target.call(make_call("http://unknown.test:81/a?b"))).succeeded
    lines = proxy.requests[0].lower().split(b"\r\n")
    assert lines[0] == b"post http://unknown.test:81/a?b http/1.1"
    assert b"host: unknown.test:81" in lines
    assert BASIC in lines


async def test_tls_goes_through_the_proxy_and_ends_at_the_target(
    open_target: OpenTarget, serve: Serve, make_call: MakeCall
) -> None:
    tunnel = Tunnel()
    _, at = await serve(tunnel.handle)
    server, there = await serve(OK, tls=server_tls("valid"))
    reach = Reach(Targets.PUBLIC, read_rules("localhost"))
    target = await open_target(
        reach, resolver=Names(), ca_bundle=authority("valid"), proxy=read_proxy(f"http://me:a%3Ab@{at}")
    )
    port = there.rpartition(":")[2]
    assert (await target.call(make_call(f"https://localhost:{port}/"))).succeeded
    [asked] = tunnel.asked
    assert asked.lower().startswith(f"connect localhost:{port} http/1.1\r\n".encode())
    assert BASIC in asked.lower().split(b"\r\n")
    assert b"proxy-" not in server.requests[0].lower()


async def test_the_certificate_is_verified_behind_the_proxy_too(
    open_target: OpenTarget, serve: Serve, make_call: MakeCall
) -> None:
    tunnel = Tunnel()
    _, at = await serve(tunnel.handle)
    server, there = await serve(OK, tls=server_tls("valid"))
    target = await open_target(resolver=Names(), ca_bundle=authority("valid"), proxy=read_proxy(f"http://{at}"))
    outcome = await target.call(make_call(f"https://other.test:{there.rpartition(':')[2]}/"))
    assert outcome.error
    assert outcome.error.startswith("tls: Hostname mismatch")
    assert server.requests == []


@pytest.mark.parametrize(
    ("endpoint", "said"),
    [
        ("http://127.0.0.1/", "127.0.0.1 is a loopback address"),
        ("https://169.254.169.254/", "169.254.169.254 is a metadata address"),
        ("http://[64:ff9b::7f00:1]/", "64:ff9b::7f00:1 (it carries 127.0.0.1) is a loopback address"),
        ("http://localhost/", "127.0.0.1 is a loopback address"),
        ("http://some.test:22/", "port 22 is closed by CRONLEDGER_TARGETS_DENY"),
        ("http://a.bad.test/", "a.bad.test is closed by CRONLEDGER_TARGETS_DENY"),
    ],
)
async def test_what_is_refused_is_not_asked_of_the_proxy(
    open_target: OpenTarget, serve: Serve, make_call: MakeCall, endpoint: str, said: str
) -> None:
    proxy, at = await serve(OK)
    reach = Reach(Targets.PUBLIC, (), read_rules(":22 *.bad.test"))
    target = await open_target(reach, resolver=Names(), proxy=read_proxy(f"http://{at}"))
    assert await target.call(make_call(endpoint)) == Outcome(error=f"refused: {said}")
    assert proxy.connections == 0


async def test_a_proxy_that_refuses_or_is_away(open_target: OpenTarget, serve: Serve, make_call: MakeCall) -> None:
    proxy, at = await serve(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
    target = await open_target(Targets.PUBLIC, proxy=read_proxy(f"http://{at}"))
    call = make_call("https://some.test/")
    assert await target.call(call) == Outcome(error="connect: the proxy answered 403")
    await proxy.stop()
    assert await target.call(call) == Outcome(error="connect: to the proxy: connection refused")


@pytest.mark.parametrize(
    "text",
    [
        "proxy:3128",
        "https://proxy:3128",
        "socks5://proxy",
        "http://",
        "http://proxy/path",
        "http://p?x",
        "http://p#x",
        "http://[",
    ],
)
def test_what_is_no_proxy_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(ValueError, match="a proxy is written http://host:port") as caught:
        read_proxy(text.replace("proxy", "me:sesame@proxy"))
    assert "sesame" not in str(caught.value)


def test_a_proxy_does_not_show_its_password() -> None:
    assert "bWU6" not in repr(read_proxy("http://me:sesame@proxy:3128"))
    assert read_proxy("") is None


async def test_what_a_proxy_passes_on_of_us_is_told_to_nobody(
    open_target: OpenTarget, serve: Serve, make_call: MakeCall
) -> None:
    said = b"Proxy-Authorization: Basic bWU6c2VzYW1l, that is me:sesame"
    proxy, at = await serve(b"HTTP/1.1 500 No\r\nContent-Length: %d\r\n\r\n%s" % (len(said), said))
    target = await open_target(Targets.PUBLIC, resolver=Names(), proxy=read_proxy(f"http://me:sesame@{at}"))
    outcome = await target.call(make_call("http://unknown.test/"))
    assert b"Basic bWU6c2VzYW1l" in proxy.requests[0]
    assert outcome.response_excerpt == "Proxy-Authorization: Basic ***, that is me:***"


@pytest.mark.parametrize("name", ["xn--zca", "xn--kkg"])
@pytest.mark.parametrize("proxied", [True, False])
async def test_a_certificate_has_to_be_for_the_name_as_it_is_dialled(
    open_target: OpenTarget, serve: Serve, make_call: MakeCall, name: str, *, proxied: bool
) -> None:
    """The first is `ß.test` by the one standard of IDNA, and `ss.test`, another's name, by the other."""
    _, at = await serve(Tunnel().handle)
    _, there = await serve(OK, tls=server_tls("valid"))
    target = await open_target(
        resolver=Names(**{f"{name}_test": ["127.0.0.1"]}),
        ca_bundle=authority("valid"),
        proxy=read_proxy(f"http://{at}") if proxied else None,
    )
    outcome = await target.call(make_call(f"https://{name}.test:{there.rpartition(':')[2]}/"))
    assert outcome.error == f"tls: Hostname mismatch, certificate is not valid for '{name}.test'."
