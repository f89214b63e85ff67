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


def canonical_endpoint(url: str) -> str:
    """Bring a URL into its one form; path and query stay as written, percent-encoded where a URL demands it.

    Raises InvalidEndpoint for anything that is not plainly one http or https URL. Where parsers are known to disagree
    about the host, the URL is refused rather than read.
    """
    _check_text(url)
    try:
        parts = urlsplit(url)
    except ValueError:
        raise _invalid(url, "can't be read as a URL", _EXAMPLE) from None
    if parts.scheme not in PORTS:
        raise _invalid(url, "does not begin with http:// or https://", _EXAMPLE)
    host, port = _authority(url, parts)
    path, query = quote(parts.path, safe=_PATH) or "/", quote(parts.query, safe=_QUERY)
    netloc = f"{host}:{port}" if port not in (None, PORTS[parts.scheme]) else host
    canonical = f"{parts.scheme}://{netloc}{path}" + (f"?{query}" if query else "")
    _check_length(canonical)
    return canonical


def canonical_location(location: str, base: str) -> str:
    """Where a header Location leads from a canonical URL. Raises InvalidEndpoint as `canonical_endpoint` does."""
    reference = location.partition("#")[0]  # RFC 9110, 10.2.2: it may hold a fragment
    _check_text(reference)
    if _AMBIGUOUS.match(reference):
        raise _invalid(reference, "names no host that all would read alike", _EXAMPLE)
    try:
        return canonical_endpoint(urljoin(base, reference))
    except ValueError:
        raise _invalid(reference, "can't be read as a URL", _EXAMPLE) from None


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


def _check_text(url: str) -> None:
    _check_length(url)
    if not url.isprintable() or " " in url:
        raise _invalid(url, "holds a space or a control character", "Percent-encode it, or leave it out.")
    if "\\" in url:
        raise _invalid(url, "holds a backslash", "Write / between its parts, or %5C where a backslash is meant.")
    if "#" in url:
        raise _invalid(url, "holds a fragment", "Leave out # and what follows: no server ever sees it.")
    if _BROKEN_PERCENT.search(url):
        raise _invalid(url, "holds a % that two hex digits do not follow", "Write %25 where a % is meant.")


def _check_length(url: str) -> None:
    if len(url) > MAX_LENGTH:
        remedy = f"Keep it to {MAX_LENGTH} characters, percent-encoding counted."
        raise InvalidEndpoint(f"endpoint: {len(url)} characters are too many.", field="endpoint", remedy=remedy)


def _authority(url: str, parts: SplitResult) -> tuple[str, int | None]:
    if "@" in parts.netloc:
        remedy = "Send credentials in the header Authorization."
        raise InvalidEndpoint("endpoint: the URL holds a user name or password.", field="endpoint", remedy=remedy)
    found = _AUTHORITY.fullmatch(parts.netloc)
    if not found:
        raise _invalid(url, "names no host that can be read", _EXAMPLE)
    port = int(found["port"]) if found["port"] else None
    if port is not None and not 0 < port < 2**16:
        raise _invalid(url, f"names port {port}", "Name a port from 1 to 65535.")
    return _host(url, found), port


def _host(url: str, found: re.Match[str]) -> str:
    try:
        return f"[{canonical_ipv6(found['six'])}]" if found["six"] else canonical_name(found["name"])
    except AddressValueError:
        raise _invalid(url, "names no IP address", "Write all four numbers, or the IPv6 address in brackets.") from None
    except ValueError:
        remedy = "A label has 1 to 63 letters, digits, - or _; write others in their xn-- form."
        raise _invalid(url, "names no host that all would read alike", remedy) from None


def _invalid(url: str, fault: str, remedy: str) -> InvalidEndpoint:
    shown = url if len(url) <= _SHOWN else f"{url[:_SHOWN]}..."
    return InvalidEndpoint(f"endpoint: {shown!r} {fault}.", field="endpoint", remedy=remedy)
