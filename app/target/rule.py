"""What an operator opens or closes beside the table: networks, hosts and ports."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import AddressValueError, ip_network

from app.target.address import Address, Line, Network
from app.target.host import canonical_name, is_address

_HIGHEST_PORT = 2**16 - 1
_BETWEEN = re.compile(r"[\s,]+")
_RULE = re.compile(
    r"(?:\[(?P<six>[^\[\]]*)\]|(?P<name>[^\[\]:]*))(?::(?P<first>[0-9]{1,5})(?:-(?P<last>[0-9]{1,5}))?)?"
)
_BARE_IPV6 = re.compile(r"[^\[\]]*:[^\[\]]*:[^\[\]]*")


@dataclass(frozen=True, slots=True)
class Rule:
    """One item of CRONLEDGER_TARGETS_ALLOW or _DENY. Of `network` and `host` one is None, or both for ports alone.

    `host` is a name, or `*.` and the name that all of its subdomains end with.
    """

    network: Network | None = None
    host: str | None = None
    ports: range = range(_HIGHEST_PORT + 1)

    @property
    def of_ports(self) -> bool:
        """Whether it speaks of ports alone."""
        return self.network is None and self.host is None

    def covers_name(self, host: str, port: int) -> bool:
        """`host` is canonical; its dot at the end doesn't matter."""
        if self.host is None or port not in self.ports:
            return False
        name = host.removesuffix(".")
        return name.endswith(self.host[1:]) if self.host.startswith("*") else name == self.host

    def covers_address(self, address: Address, port: int) -> bool:
        return self.network is not None and port in self.ports and address in self.network

    def names(self, line: Line) -> bool:
        """Whether it speaks of this line: `10.0.0.0/8` opens a private address, and `0.0.0.0/0` opens none."""
        network, theirs = self.network, line.network
        return network is not None and theirs.version == network.version and theirs.supernet_of(network)  # type: ignore[arg-type]  # as the versions are one


def read_rules(text: str) -> tuple[Rule, ...]:
    """Items with commas or spaces between them. Raises ValueError, which says what is wrong with which."""
    return tuple(_rule(each) for each in _BETWEEN.split(text) if each)


def _rule(text: str) -> Rule:
    if _BARE_IPV6.fullmatch(text):
        return Rule(network=_network(text))
    found = _RULE.fullmatch(text)
    if not found or text == ":":
        raise ValueError(f"{text!r} is no network, host or port")
    ports = _ports(text, found)
    if found["six"] is not None:
        return Rule(network=_network(found["six"]), ports=ports)
    name = found["name"]
    if not name:
        return Rule(ports=ports)
    if "/" in name or is_address(name):
        return Rule(network=_network(name), ports=ports)
    return Rule(host=_pattern(name), ports=ports)


def _ports(text: str, found: re.Match[str]) -> range:
    if found["first"] is None:
        return range(_HIGHEST_PORT + 1)
    first, last = int(found["first"]), int(found["last"] or found["first"])
    if not 0 < first <= last <= _HIGHEST_PORT:
        raise ValueError(f"{text!r} names ports that don't exist: they go from 1 to {_HIGHEST_PORT}")
    return range(first, last + 1)


def _network(text: str) -> Network:
    try:
        return ip_network(text)
    except ValueError as error:
        raise ValueError(f"{text!r} is no network: {error}") from None


def _pattern(text: str) -> str:
    star, name = ("*.", text[2:]) if text.startswith("*.") else ("", text)
    try:
        return star + canonical_name(name).removesuffix(".")
    except (AddressValueError, ValueError):
        raise ValueError(f"{text!r} is no host: write a name, or *. and a name") from None
