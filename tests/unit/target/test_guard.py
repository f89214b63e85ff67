"""The address is judged at the moment at which it is dialled."""

from __future__ import annotations

import asyncio
import socket
import threading
from typing import Any

import pytest

from app.domain.run import Outcome
from app.target.address import Targets
from app.target.resolver import Resolver
from tests.unit.target.servers import Names
from tests.unit.target.types import MakeCall, OpenTarget, Serve

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@pytest.mark.parametrize(
    ("host", "said"),
    [
        ("127.0.0.1", "127.0.0.1 is a loopback address"),
        ("[::1]", "::1 is a loopback address"),
        ("[::ffff:127.0.0.1]", "::ffff:127.0.0.1 (it carries 127.0.0.1) is a loopback address"),
        ("[64:ff9b::7f00:1]", "64:ff9b::7f00:1 (it carries 127.0.0.1) is a loopback address"),
        ("169.254.169.254", "169.254.169.254 is a metadata address"),
        ("0.0.0.1", "0.0.0.1 is an unspecified address"),
        ("10.0.0.1", "10.0.0.1 is a private address"),
    ],
)
async def test_an_address_in_the_url_is_judged(
    open_target: OpenTarget, serve: Serve, make_call: MakeCall, host: str, said: str
) -> None:
    server, at = await serve(OK)
    target = await open_target(Targets.PUBLIC)
    outcome = await target.call(make_call(f"http://{host}:{at.rpartition(':')[2]}/"))
    assert outcome == Outcome(error=f"refused: {said}")
    assert server.connections == 0


async def test_a_name_that_leads_to_a_refused_address_is_refused(
    open_target: OpenTarget, serve: Serve, make_call: MakeCall
) -> None:
    server, at = await serve(OK)
    target = await open_target(Targets.PUBLIC, resolver=Names(good_test=["127.0.0.1"]))
    outcome = await target.call(make_call(f"http://good.test:{at.rpartition(':')[2]}/"))
    assert outcome == Outcome(error="refused: 127.0.0.1 is a loopback address")
    assert server.connections == 0


async def test_a_name_with_refused_addresses_alone_is_refused(open_target: OpenTarget, make_call: MakeCall) -> None:
    target = await open_target(
        Targets.PUBLIC, resolver=Names(bad_test=["10.0.0.1", "fe80::1", "127.0.0.1", "::1", "169.254.169.254"])
    )
    outcome = await target.call(make_call("http://bad.test/"))
    assert outcome.error
    assert outcome.error.startswith("refused: ")


async def test_of_several_addresses_only_the_allowed_one_is_dialled(
    open_target: OpenTarget, serve: Serve, make_call: MakeCall
) -> None:
    server, at = await serve(OK)
    target = await open_target(
        Targets.ANY, resolver=Names(mixed_test=["169.254.169.254", "fe80::1", "127.0.0.1", "224.0.0.1"])
    )
    assert (await target.call(make_call(f"http://mixed.test:{at.rpartition(':')[2]}/"))).succeeded
    assert server.connections == 1


async def test_private_targets_are_no_loopback_targets(
    open_target: OpenTarget, serve: Serve, make_call: MakeCall
) -> None:
    _, at = await serve(OK)
    target = await open_target(Targets.PRIVATE)
    assert (await target.call(make_call(f"http://{at}/"))).error == "refused: 127.0.0.1 is a loopback address"


async def test_a_name_is_looked_up_by_the_system(open_target: OpenTarget, serve: Serve, make_call: MakeCall) -> None:
    _, at = await serve(OK)
    target = await open_target()
    assert (await target.call(make_call(f"http://localhost:{at.rpartition(':')[2]}/"))).succeeded


async def test_slow_lookups_do_not_keep_others_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    together = threading.Barrier(50)

    def lookup(*_: object, **__: object) -> list[Any]:
        together.wait(10)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 80))]

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    resolver = Resolver()
    found = await asyncio.gather(*(resolver.resolve(f"{n}.test", 80) for n in range(50)))
    await resolver.close()
    assert [hosts[0]["host"] for hosts in found] == ["127.0.0.1"] * 50
