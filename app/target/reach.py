"""How far calls may reach: the table, and what the operator opens and closes beside it."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address

from app.target.address import Address, Line, Targets, judged
from app.target.host import is_address
from app.target.rule import Rule

_DENIED = "is closed by CRONLEDGER_TARGETS_DENY"
_UNLISTED = "is not listed in CRONLEDGER_TARGETS_ALLOW"


@dataclass(frozen=True, slots=True)
class Reach:
    """What `deny` covers is refused, whatever else says. What `allow` names is open beyond `targets`.

    A network in `allow` opens what lies in one line of the table with it, so that only who names a metadata address
    opens it. A host in `allow` may lead wherever `Targets.ANY` reaches. Where `allow` has ports alone, no others are
    open. `proxied`: names are looked up elsewhere, and nobody here learns where they lead.
    """

    targets: Targets
    allow: tuple[Rule, ...] = ()
    deny: tuple[Rule, ...] = ()
    proxied: bool = False

    def refuses(self, host: str, port: int) -> str | None:
        """Why this host may not be called, as far as that is known without DNS. The host is canonical."""
        return self._refuses_port(port) or self._refuses_host(host, port)

    def refuses_address(self, ip: str, host: str, port: int) -> str | None:
        """Why an address to which the host has led may not be dialled."""
        for address, line in judged(ip):
            name = ip if address == ip_address(ip) else f"{ip} (it carries {address})"
            if any(rule.covers_address(address, port) for rule in self.deny):
                return f"{name} {_DENIED}"
            if not self._opens(address, line, host, port):
                return f"{name} is {line.what}" + (f", and {_UNLISTED}" if self.targets is Targets.LISTED else "")
        return None

    def _refuses_port(self, port: int) -> str | None:
        if any(port in ports for ports in _ports(self.deny)):
            return f"port {port} {_DENIED}"
        open_ports = _ports(self.allow)
        if open_ports and not any(port in ports for ports in open_ports):
            return f"port {port} {_UNLISTED}"
        return None

    def _refuses_host(self, host: str, port: int) -> str | None:
        if any(rule.covers_name(host, port) for rule in self.deny):
            return f"{host} {_DENIED}"
        name = host.removesuffix(".")
        if name == "localhost" or name.endswith(".localhost"):  # RFC 6761, 6.3
            return self.refuses_address("127.0.0.1", host, port)
        if is_address(host):
            return self.refuses_address(host, host, port)
        return f"{host} {_UNLISTED}" if self._lists_nothing_for(host, port) else None

    def _opens(self, address: Address, line: Line, host: str, port: int) -> bool:
        if self.targets in line.open_to:
            return True
        if Targets.ANY in line.open_to and any(rule.covers_name(host, port) for rule in self.allow):
            return True
        return any(rule.names(line) and rule.covers_address(address, port) for rule in self.allow)

    def _lists_nothing_for(self, host: str, port: int) -> bool:
        """Whether no address that the host may lead to can be open."""
        if self.targets is not Targets.LISTED or any(rule.covers_name(host, port) for rule in self.allow):
            return False
        return self.proxied or not any(rule.network for rule in self.allow)


def _ports(rules: tuple[Rule, ...]) -> list[range]:
    return [rule.ports for rule in rules if rule.of_ports]
