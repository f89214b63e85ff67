"""The proxy through which all calls go, where the operator names one."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass, field

from aiohttp.hdrs import PROXY_AUTHORIZATION
from yarl import URL


@dataclass(frozen=True, slots=True)
class Proxy:
    """`headers` tell it who we are; no target sees them, unless it passes them on, and `hidden` is not told then."""

    url: URL
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    hidden: frozenset[str] = field(default=frozenset(), repr=False)


def read_proxy(text: str) -> Proxy | None:
    """From `http://[user:password@]host:port`; None for an empty text. Raises ValueError, without the password."""
    if not text:
        return None
    try:
        url = URL(text)
        complete = url.scheme == "http" and url.raw_host and url.raw_path in ("", "/")
    except ValueError:
        complete = False
    if not complete or url.raw_query_string or url.raw_fragment:
        raise ValueError("a proxy is written http://host:port, or http://user:password@host:port")
    if url.raw_user is None and url.raw_password is None:
        return Proxy(url)
    secret = b64encode(f"{url.user or ''}:{url.password or ''}".encode()).decode()
    hidden = frozenset({secret, url.password or ""})
    return Proxy(url.with_user(None), {PROXY_AUTHORIZATION: f"Basic {secret}"}, hidden)
