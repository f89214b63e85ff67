"""An endpoint's one canonical form: whoever reads it, checks it or dials it sees the same host."""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import AddressValueError
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from app.domain.errors import InvalidEndpoint, RefusedTarget
from app.domain.host import PORTS, host_and_port
from app.target.host import canonical_ipv6, canonical_name
from app.target.reach import Reach

MAX_LENGTH = 2048

_SHOWN = 100
_EXAMPLE = "Write it in full, such as https://example.com/hook."
_AUTHORITY = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<name>[^\[\]:@%]+))(?::(?P<port>[0-9]{0,5}))?")
# `http:path` and `///path` are relative to some, and name a host to others.
_AMBIGUOUS = re.compile(r"///|[A-Za-z][A-Za-z0-9+.-]*:(?!//[^/])")
_BROKEN_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_PATH = "/:@!$&'()*+,;=-._~%"  # RFC 3986, 3.3
_QUERY = _PATH + "?"  # RFC 3986, 3.4


class EndpointFault(ValueError):
    """What is wrong with a URL, without the URL, which may hold what is nobody's to read."""

    def __init__(self, fault: str, remedy: str) -> None:
        super().__init__(fault)
        self.remedy = remedy


def canonical_endpoint(url: str) -> str:
    """Bring a URL into its one form; path and query stay as written, percent-encoded where a URL demands it.

    Raises InvalidEndpoint for anything that is not plainly one http or https URL. Where parsers are known to disagree
    about the host, the URL is refused rather than read.
    """
    try:
        return _canonical(url)
    except EndpointFault as fault:
        raise InvalidEndpoint(f"endpoint: {_shown(url)!r} {fault}.", field="endpoint", remedy=fault.remedy) from None


def canonical_location(location: str, base: str) -> str:
    """Where a header Location leads from a canonical URL. Raises EndpointFault."""
    reference = location.partition("#")[0]  # RFC 9110, 10.2.2: it may hold a fragment
    _check_text(reference)
    if _AMBIGUOUS.match(reference):
        raise EndpointFault("names no host that all would read alike", _EXAMPLE)
    try:
        joined = urljoin(base, reference)
    except ValueError:
        raise EndpointFault("can't be read as a URL", _EXAMPLE) from None
    return _canonical(joined)


@lru_cache(maxsize=8192)
def host_key(url: str) -> str:
    """Name the host and port that a URL leads to, as `host:port`; a URL that can't be called stands for itself."""
    try:
        return host_and_port(canonical_endpoint(url))
    except InvalidEndpoint:
        return url


def check_reach(url: str, reach: Reach) -> None:
    """Refuse early what needs no DNS to be refused. Raises RefusedTarget; where names lead is judged at each call."""
    parts = urlsplit(canonical_endpoint(url))
    if reason := reach.refuses(parts.hostname or "", parts.port or PORTS[parts.scheme]):
        raise RefusedTarget(
            f"endpoint: {reason}. Calls from here reach {reach.targets.value} targets.",
            field="endpoint",
            remedy="Name one that may be called, or open it with CRONLEDGER_TARGETS or CRONLEDGER_TARGETS_ALLOW.",
        )


def _canonical(url: str) -> str:
    """Raises EndpointFault."""
    _check_text(url)
    try:
        parts = urlsplit(url)
    except ValueError:
        raise EndpointFault("can't be read as a URL", _EXAMPLE) from None
    if parts.scheme not in PORTS:
        raise EndpointFault("does not begin with http:// or https://", _EXAMPLE)
    host, port = _authority(parts)
    path, query = quote(parts.path, safe=_PATH) or "/", quote(parts.query, safe=_QUERY)
    netloc = f"{host}:{port}" if port not in (None, PORTS[parts.scheme]) else host
    canonical = f"{parts.scheme}://{netloc}{path}" + (f"?{query}" if query else "")
    _check_length(canonical)
    return canonical


def _check_text(url: str) -> None:
    _check_length(url)
    if not url.isprintable() or " " in url:
        raise EndpointFault("holds a space or a control character", "Percent-encode it, or leave it out.")
    if "\\" in url:
        raise EndpointFault("holds a backslash", "Write / between its parts, or %5C where a backslash is meant.")
    if "#" in url:
        raise EndpointFault("holds a fragment", "Leave out # and what follows: no server ever sees it.")
    if _BROKEN_PERCENT.search(url):
        raise EndpointFault("holds a % that two hex digits do not follow", "Write %25 where a % is meant.")


def _check_length(url: str) -> None:
    if len(url) > MAX_LENGTH:
        remedy = f"Keep it to {MAX_LENGTH} characters, percent-encoding counted."
        raise EndpointFault(f"has {len(url)} characters, which are too many", remedy)


def _authority(parts: SplitResult) -> tuple[str, int | None]:
    if "@" in parts.netloc:
        raise EndpointFault("holds a user name or password", "Send credentials in the header Authorization.")
    found = _AUTHORITY.fullmatch(parts.netloc)
    if not found:
        raise EndpointFault("names no host that can be read", _EXAMPLE)
    port = int(found["port"]) if found["port"] else None
    if port is not None and not 0 < port < 2**16:
        raise EndpointFault("names a port that can't be", "Name one from 1 to 65535.")
    return _host(found), port


def _host(found: re.Match[str]) -> str:
    try:
        return f"[{canonical_ipv6(found['six'])}]" if found["six"] else canonical_name(found["name"])
    except AddressValueError:
        raise EndpointFault("names no IP address", "Write all four numbers, or the IPv6 address in brackets.") from None
    except ValueError:
        remedy = "A label has 1 to 63 letters, digits, - or _; write others in their xn-- form."
        raise EndpointFault("names no host that all would read alike", remedy) from None


def _shown(url: str) -> str:
    """What stands before an @ may be a password."""
    before, at, rest = url.rpartition("@")
    told = f"...@{rest}" if at else before + rest
    return told if len(told) <= _SHOWN else f"{told[:_SHOWN]}..."
