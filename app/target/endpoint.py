"""An endpoint's one canonical form: whoever reads it, checks it or dials it sees the same host."""

from __future__ import annotations

import re
import socket
from functools import lru_cache
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from urllib.parse import SplitResult, quote, urlsplit

from yarl import URL

from app.domain.errors import InvalidEndpoint, RefusedTarget
from app.domain.host import PORTS, host_and_port
from app.target.address import Targets, refusal

MAX_LENGTH = 2048

_SHOWN = 100
_EXAMPLE = "Write it in full, such as https://example.com/hook."
_AUTHORITY = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<name>[^\[\]:@%]+))(?::(?P<port>[0-9]{0,5}))?")
_NAME = re.compile(r"(?=.{1,253}\.?$)(?:[a-z0-9_-]{1,63}\.)*[a-z0-9_-]{1,63}\.?")
# The WHATWG URL standard's rule: a host whose last label is a number is an IPv4 address or nothing.
_ENDS_IN_NUMBER = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)\.?")
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


@lru_cache(maxsize=8192)
def host_key(url: str) -> str:
    """Name the host and port that a URL leads to, as `host:port`; a URL that can't be called stands for itself."""
    try:
        return host_and_port(canonical_endpoint(url))
    except InvalidEndpoint:
        return url


def check_literal(url: str, targets: Targets) -> None:
    """Refuse early what needs no DNS to be refused. Raises RefusedTarget; names are judged when they are dialled."""
    host = (urlsplit(canonical_endpoint(url)).hostname or "").removesuffix(".")
    if host == "localhost" or host.endswith(".localhost"):  # RFC 6761, 6.3
        host = "127.0.0.1"
    if ":" not in host and not _ENDS_IN_NUMBER.fullmatch(host):
        return
    if reason := refusal(host, targets):
        raise RefusedTarget(
            f"endpoint: {reason}, and calls from here reach {targets.value} targets.",
            field="endpoint",
            remedy="Name a host that may be called, or set CRONLEDGER_TARGETS if it opens this address.",
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
        if found["six"]:
            return f"[{_shortest(found['six'])}]"
        host = URL.build(scheme="http", host=found["name"]).raw_host or ""
        if _ENDS_IN_NUMBER.fullmatch(host):
            return str(IPv4Address(host))
    except AddressValueError:
        raise _invalid(url, "names no IP address", "Write all four numbers, or the IPv6 address in brackets.") from None
    except ValueError:
        host = ""
    if not _NAME.fullmatch(host):
        raise _invalid(url, "names no host that can exist", "A label has 1 to 63 letters, digits, - or _.")
    return host


def _shortest(six: str) -> str:
    # inet_ntop, since str() of a mapped address differs between Python 3.12 and 3.13.
    return socket.inet_ntop(socket.AF_INET6, IPv6Address(six).packed)


def _invalid(url: str, fault: str, remedy: str) -> InvalidEndpoint:
    shown = url if len(url) <= _SHOWN else f"{url[:_SHOWN]}..."
    return InvalidEndpoint(f"endpoint: {shown!r} {fault}.", field="endpoint", remedy=remedy)
