"""Names whose name server is against us, through the real API and a real caller; the sockets are watched."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing

import pytest

from app.target.address import Targets
from app.target.reach import Reach
from app.target.rule import read_rules
from tests.hostile.names import Names
from tests.hostile.service import serving
from tests.hostile.sockets import watched
from tests.hostile.urls import LITERALS
from tests.servers.sink import Sink

HOME, TRAP = "127.0.0.1", "127.0.0.2"
"""The sink is at the one, which alone is open; a listener that nobody may reach is at the other."""

GOOD, REFUSED = None, "refused: "
ANSWERS: dict[str, tuple[list[str], str | None]] = {
    "home": ([HOME], GOOD),
    "trap": ([TRAP], REFUSED),
    "unspecified": (["0.0.0.0"], REFUSED),  # noqa: S104 -- dialled, not bound
    "this-network": (["0.0.0.2"], REFUSED),
    "private-10": (["10.0.0.1"], REFUSED),
    "private-172": (["172.16.0.1"], REFUSED),
    "private-192": (["192.168.0.1"], REFUSED),
    "shared": (["100.64.0.1"], REFUSED),
    "link-local": (["169.254.0.1"], REFUSED),
    "aws": (["169.254.169.254"], REFUSED),
    "azure": (["168.63.129.16"], REFUSED),
    "oracle": (["192.0.0.192"], REFUSED),
    "alibaba": (["100.100.100.200"], REFUSED),
    "benchmark": (["198.18.0.1"], REFUSED),
    "documentation": (["203.0.113.1"], REFUSED),
    "multicast": (["224.0.0.1"], REFUSED),
    "broadcast": (["255.255.255.255"], REFUSED),
    "reserved": (["240.0.0.1"], REFUSED),
    "unspecified6": (["::"], REFUSED),
    "loopback6": (["::1"], REFUSED),
    "mapped": ([f"::ffff:{TRAP}"], REFUSED),
    "mapped-hex": (["::ffff:7f00:2"], REFUSED),
    "compatible": ([f"::{TRAP}"], REFUSED),
    "translated": ([f"::ffff:0:{TRAP}"], REFUSED),
    "nat64": (["64:ff9b::7f00:2"], REFUSED),
    "nat64-metadata": (["64:ff9b::a9fe:a9fe"], REFUSED),
    "nat64-local": (["64:ff9b:1::7f00:2"], REFUSED),
    "six-to-four": (["2002:7f00:2::1"], REFUSED),
    "teredo-server": (["2001:0:7f00:2::fefe:fefe"], REFUSED),
    "teredo-client": (["2001:0:101:101::80ff:fffd"], REFUSED),
    "unique-local": (["fd00::1"], REFUSED),
    "aws6": (["fd00:ec2::254"], REFUSED),
    "google6": (["fd20:ce::254"], REFUSED),
    "scoped": (["fe80::1%1"], REFUSED),
    "site-local": (["fec0::1"], REFUSED),
    "discard": (["100::1"], REFUSED),
    "multicast6": (["ff02::1"], REFUSED),
    "private-first": (["10.0.0.1", HOME], GOOD),
    "private-last": ([HOME, "10.0.0.1", "169.254.169.254"], GOOD),
    "private-around": (["169.254.169.254", HOME, TRAP], GOOD),
    "mixed-families": (["::1", HOME, f"::ffff:{TRAP}"], GOOD),
    "private-alone": (["10.0.0.1", TRAP, "::1", "64:ff9b::a9fe:a9fe"], REFUSED),
}


@pytest.fixture
def reach(sink: Sink) -> Reach:
    return Reach(Targets.PUBLIC, read_rules(f"{HOME}:{port_of(sink)}"))


@pytest.fixture
def dialled(sink: Sink) -> Iterator[list[tuple[str, int]]]:
    """What was dialled over IP; in the end nothing but the sink and the database, which are at home."""
    with closing(socket.socket()) as trap, watched() as addresses:
        trap.bind((TRAP, port_of(sink)))
        trap.listen()
        trap.settimeout(0)
        yield addresses
        with pytest.raises(BlockingIOError):
            trap.accept()
    assert {ip for ip, _ in addresses} <= {HOME}


def port_of(sink: Sink) -> int:
    return int(sink.url.rpartition(":")[2])


async def test_where_a_name_leads_is_judged_when_it_is_dialled(
    database_url: str, sink: Sink, reach: Reach, dialled: list[tuple[str, int]]
) -> None:
    names = Names(**{name: [answer] for name, (answer, _) in ANSWERS.items()})
    jobs = {name: {"endpoint": f"http://{name}.test:{port_of(sink)}/{name}"} for name in ANSWERS}
    async with serving(database_url, reach, names) as service:
        runs = await service.run(jobs)
    wrong = {
        name: (run["state"], run["error"])
        for name, run in runs.items()
        if (run["state"] == "succeeded") != (ANSWERS[name][1] is GOOD)
        or not (run["error"] or REFUSED).startswith(REFUSED)
    }
    assert wrong == {}
    assert {call.path for call in sink.calls} == {f"/{name}" for name, (_, said) in ANSWERS.items() if said is GOOD}
    assert dialled.count((HOME, port_of(sink))) > 0


async def test_a_literal_that_came_into_the_store_is_refused_when_it_is_called(
    database_url: str, sink: Sink, reach: Reach, dialled: list[tuple[str, int]]
) -> None:
    jobs = {f"literal-{number}": {"endpoint": url} for number, url in enumerate(LITERALS)}
    async with serving(database_url, reach, Names()) as service:
        runs = await service.run(jobs)
    told = [(run["state"], run["error"].partition(" ")[0]) for run in runs.values()]
    assert told == [("failed", "refused:")] * len(LITERALS)
    assert (HOME, port_of(sink)) not in dialled


@pytest.mark.parametrize("second", [[TRAP], ["169.254.169.254"], ["::1"], [f"::ffff:{TRAP}"], ["10.0.0.1", TRAP]])
async def test_a_name_that_leads_inside_the_second_time_is_refused_then(
    sqlite_url: str, sink: Sink, reach: Reach, dialled: list[tuple[str, int]], second: list[str]
) -> None:
    names = Names(rebinding=[[HOME], second])
    url = f"http://rebinding.test:{port_of(sink)}/"
    async with serving(sqlite_url, reach, names) as service:
        first = await service.run({"first": {"endpoint": url}})
        await _forget(service.target._session)
        then = await service.run({"then": {"endpoint": url}})
    assert names.asked["rebinding"] == 2
    assert first["first"]["state"] == "succeeded"
    assert then["then"]["error"].startswith(REFUSED)
    assert dialled.count((HOME, port_of(sink))) == 1


async def test_the_systems_own_resolver_is_judged_too(
    sqlite_url: str, sink: Sink, reach: Reach, dialled: list[tuple[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    found, name = socket.getaddrinfo, "odd.test"
    odd = [
        (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("fe80::1%lo", port_of(sink), 0, 1)),
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", (TRAP, port_of(sink))),
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *a, **k: odd if host == name else found(host, *a, **k))
    async with serving(sqlite_url, reach) as service:
        runs = await service.run({"odd": {"endpoint": f"http://{name}:{port_of(sink)}/"}})
    assert runs["odd"]["error"].startswith(REFUSED)
    assert (HOME, port_of(sink)) not in dialled


async def _forget(session: object) -> None:
    """As when some seconds have passed: the connections that were kept, and what the name led to."""
    connector = session.connector  # type: ignore[attr-defined]
    connector.clear_dns_cache()
    for waiting in [*connector._conns.values()]:
        for protocol, _ in waiting:
            protocol.close()
    connector._conns.clear()
