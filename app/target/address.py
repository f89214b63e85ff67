"""Which addresses may be dialled: one table, in which the narrowest network that holds an address decides.

`ipaddress.is_global` won't do: it takes NAT64, 6to4, `::127.0.0.1`, 168.63.129.16 and multicast for global.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import StrEnum
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import NamedTuple

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


class Targets(StrEnum):
    """How far calls may reach: what is listed, the public Internet, private networks too, or this machine as well."""

    LISTED = "listed"
    PUBLIC = "public"
    PRIVATE = "private"
    ANY = "any"


class Line(NamedTuple):
    """A line of the table. `carries` finds the IPv4 addresses inside an IPv6 address: they are judged as well."""

    network: Network
    what: str
    open_to: frozenset[Targets]
    source: str
    carries: tuple[Callable[[int], int], ...] = ()


_CARRIED = frozenset(Targets)  # the address inside decides
_PUBLIC = _CARRIED - {Targets.LISTED}
_INSIDE = frozenset({Targets.PRIVATE, Targets.ANY})
_HERE = frozenset({Targets.ANY})
_NEVER: frozenset[Targets] = frozenset()


def _low(bits: int) -> int:
    return bits & 0xFFFFFFFF


def _teredo_server(bits: int) -> int:
    return _low(bits >> 64)


def _teredo_client(bits: int) -> int:
    return _low(~bits)


def _six_to_four(bits: int) -> int:
    return _low(bits >> 80)


def _line(network: str, what: str, open_to: frozenset[Targets], source: str, *carries: Callable[[int], int]) -> Line:
    return Line(ip_network(network), what, open_to, source, carries)


LINES = (
    _line("0.0.0.0/0", "a public address", _PUBLIC, "RFC 791"),
    _line("0.0.0.0/8", "an unspecified address", _NEVER, "RFC 1122, 3.2.1.3; Linux dials itself"),
    _line("10.0.0.0/8", "a private address", _INSIDE, "RFC 1918"),
    _line("100.64.0.0/10", "a shared address", _INSIDE, "RFC 6598"),
    _line("100.100.100.200/32", "a metadata address", _NEVER, "Alibaba Cloud, instance metadata"),
    _line("127.0.0.0/8", "a loopback address", _HERE, "RFC 1122, 3.2.1.3"),
    _line("168.63.129.16/32", "a metadata address", _NEVER, "Azure, wire server"),
    _line("169.254.0.0/16", "a link-local address", _NEVER, "RFC 3927"),
    _line("169.254.0.23/32", "a metadata address", _NEVER, "Tencent Cloud, instance metadata"),
    _line("169.254.42.42/32", "a metadata address", _NEVER, "Scaleway, instance metadata"),
    _line("169.254.169.254/32", "a metadata address", _NEVER, "AWS, Azure, Google Cloud and others"),
    _line("169.254.170.2/32", "a metadata address", _NEVER, "AWS ECS, task credentials"),
    _line("169.254.170.23/32", "a metadata address", _NEVER, "AWS EKS, pod identity"),
    _line("172.16.0.0/12", "a private address", _INSIDE, "RFC 1918"),
    _line("192.0.0.0/24", "a reserved address", _NEVER, "RFC 6890, 2.1"),
    _line("192.0.0.192/32", "a metadata address", _NEVER, "Oracle Cloud Classic, instance metadata"),
    _line("192.0.2.0/24", "a documentation address", _NEVER, "RFC 5737"),
    _line("192.88.99.0/24", "a reserved address", _NEVER, "RFC 7526"),
    _line("192.168.0.0/16", "a private address", _INSIDE, "RFC 1918"),
    _line("198.18.0.0/15", "a benchmarking address", _INSIDE, "RFC 2544"),
    _line("198.51.100.0/24", "a documentation address", _NEVER, "RFC 5737"),
    _line("203.0.113.0/24", "a documentation address", _NEVER, "RFC 5737"),
    _line("224.0.0.0/4", "a multicast address", _NEVER, "RFC 5771"),
    _line("240.0.0.0/4", "a reserved address", _NEVER, "RFC 1112, 4"),
    _line("255.255.255.255/32", "a broadcast address", _NEVER, "RFC 919, 7"),
    _line("::/0", "a reserved address", _NEVER, "RFC 4291, 2.4: what nobody has been given"),
    _line("::/96", "an IPv4-compatible address", _CARRIED, "RFC 4291, 2.5.5.1", _low),
    _line("::/128", "an unspecified address", _NEVER, "RFC 4291, 2.5.2"),
    _line("::1/128", "a loopback address", _HERE, "RFC 4291, 2.5.3"),
    _line("::ffff:0:0/96", "an IPv4-mapped address", _CARRIED, "RFC 4291, 2.5.5.2", _low),
    _line("::ffff:0:0:0/96", "an IPv4-translated address", _CARRIED, "RFC 2765, 2.1", _low),
    _line("64:ff9b::/96", "a NAT64 address", _CARRIED, "RFC 6052, 2.1", _low),
    _line("64:ff9b:1::/48", "a local NAT64 address", _NEVER, "RFC 8215: nobody outside knows what it carries"),
    _line("2000::/3", "a public address", _PUBLIC, "RFC 4291, 2.4"),
    _line("2001::/23", "a reserved address", _NEVER, "RFC 2928"),
    _line("2001::/32", "a Teredo address", _CARRIED, "RFC 4380, 4", _teredo_server, _teredo_client),
    _line("2001:2::/48", "a benchmarking address", _INSIDE, "RFC 5180"),
    _line("2001:db8::/32", "a documentation address", _NEVER, "RFC 3849"),
    _line("2002::/16", "a 6to4 address", _CARRIED, "RFC 3056, 2", _six_to_four),
    _line("3fff::/20", "a documentation address", _NEVER, "RFC 9637"),
    _line("fc00::/7", "a private address", _INSIDE, "RFC 4193"),
    _line("fd00:42::42/128", "a metadata address", _NEVER, "Scaleway, instance metadata"),
    _line("fd00:c1::a9fe:a9fe/128", "a metadata address", _NEVER, "Oracle Cloud, instance metadata"),
    _line("fd00:ec2::23/128", "a metadata address", _NEVER, "AWS, pod identity"),
    _line("fd00:ec2::254/128", "a metadata address", _NEVER, "AWS, instance metadata"),
    _line("fd20:ce::254/128", "a metadata address", _NEVER, "Google Cloud, instance metadata"),
    _line("fe80::/10", "a link-local address", _NEVER, "RFC 4291, 2.5.6"),
    _line("fe80::a9fe:a9fe/128", "a metadata address", _NEVER, "OpenStack, instance metadata"),
    _line("fec0::/10", "a private address", _INSIDE, "RFC 3879, the former site-local"),
    _line("ff00::/8", "a multicast address", _NEVER, "RFC 4291, 2.7"),
)
_TABLE = sorted(LINES, key=lambda line: -line.network.prefixlen)


@lru_cache(maxsize=8192)
def judged(ip: str) -> tuple[tuple[Address, Line], ...]:
    """The address and those that it carries, each with its line of the table: all of them must be open."""
    return tuple(_judged(ip_address(ip)))


def _judged(address: Address) -> Iterator[tuple[Address, Line]]:
    line = next(line for line in _TABLE if address in line.network)
    yield address, line
    for carried in line.carries:
        yield from _judged(IPv4Address(carried(int(address))))
