"""Where a request comes from."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from fastapi import Request

from app.domain.access import is_local

UNKNOWN = "unknown"
_SAY_FOR_WHOM = ("X-Forwarded-For", "X-Real-IP", "X-Forwarded-Host")
_ALWAYS_FOR_OTHERS = ("Forwarded", "Via")
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z._-]+)(:[0-9]{0,5})?")
"""As it stands in a request (RFC 9110, 7.2), without the characters that no name of this machine has."""

_NETWORK = 64
"""Bits of an IPv6 address that a network is given: the rest is the client's to choose."""


def is_nearby(request: Request) -> bool:
    """Whether it comes from this machine, as far as it says: not through a proxy for others, nor from a page of others.

    A page that a browser here has open may send what needs no preflight, or have its own name resolve to the loopback
    address. A proxy on this machine that says nothing of itself can't be told from the machine's own requests.
    """
    server = request.scope.get("server")
    reached = server is None or server[1] is None or is_local(server[0])  # without a port it is a socket's path
    return reached and _is_named_locally(request) and not _is_passed_on(request) and not _is_of_a_page(request)


def address_of(request: Request) -> str:
    """Of the client; what a proxy says that is no address is UNKNOWN."""
    try:
        return str(ipaddress.ip_address(request.client.host if request.client else ""))
    except ValueError:
        return UNKNOWN


def network_of(request: Request) -> str:
    """Whose requests are counted together: an IPv4 address, or a network of IPv6."""
    address = address_of(request)
    if ":" not in address:
        return address
    return str(ipaddress.ip_network(f"{address.partition('%')[0]}/{_NETWORK}", strict=False))


def _is_named_locally(request: Request) -> bool:
    hosts = request.headers.getlist("Host")
    return len(hosts) <= 1 and all(map(_is_local_name, hosts))


def _is_local_name(host: str) -> bool:
    found = _HOST.fullmatch(host)
    return found is not None and is_local(found[1].strip("[]").lower())


def _is_passed_on(request: Request) -> bool:
    told = [
        each.strip() for name in _SAY_FOR_WHOM for line in request.headers.getlist(name) for each in line.split(",")
    ]
    return any(name in request.headers for name in _ALWAYS_FOR_OTHERS) or not all(map(_is_local_name, told))


def _is_of_a_page(request: Request) -> bool:
    """Of another origin: browsers say so in one way or both."""
    origin = request.headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("Host"):
        return True
    return request.headers.get("Sec-Fetch-Site") in ("cross-site", "same-site")
