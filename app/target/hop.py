"""One request of a call: the first, or one to which a redirect has led."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from http import HTTPStatus
from ssl import SSLContext
from urllib.parse import urlsplit

from aiohttp import ClientResponse
from aiohttp.hdrs import CONTENT_TYPE, LOCATION
from multidict import CIMultiDict

from app.domain.host import host_and_port
from app.domain.revealed import Revealed
from app.target.body import call_body
from app.target.endpoint import EndpointFault, canonical_endpoint, canonical_location
from app.target.failure import RefusedAddressError
from app.target.headers import SIGNATURE, without_secrets

Sign = Callable[[bytes], str]
"""From the body to its signature."""

_TO_GET = frozenset({HTTPStatus.MOVED_PERMANENTLY, HTTPStatus.FOUND})
_FOLLOWED = _TO_GET | {HTTPStatus.SEE_OTHER, HTTPStatus.TEMPORARY_REDIRECT, HTTPStatus.PERMANENT_REDIRECT}


@dataclass(frozen=True, slots=True)
class Hop:
    """`url` is canonical; `tls` is what the job asks for beyond what holds for all."""

    revealed: Revealed
    url: str
    method: str
    headers: CIMultiDict[str]
    body: bytes | None
    tls: SSLContext | None = None
    redirected: bool = False

    @classmethod
    def first(
        cls, revealed: Revealed, headers: CIMultiDict[str], sign: Sign | None = None, tls: SSLContext | None = None
    ) -> Hop:
        """Raises InvalidEndpoint."""
        call, body = revealed.call, call_body(revealed)
        if body:
            headers.setdefault(CONTENT_TYPE, body[1])
        if sign is not None:
            headers[SIGNATURE] = sign(body[0] if body else b"")
        return cls(revealed, _canonical(call.endpoint), call.method, headers, body[0] if body else None, tls)

    def onward(self, response: ClientResponse) -> Hop | None:
        """What is asked next, by the rules of RFC 9110, 15.4; None where the response is the answer.

        Raises RefusedAddressError for a Location that can't be called, or that leaves TLS, and for several.
        """
        locations = response.headers.getall(LOCATION, [""])
        if response.status not in _FOLLOWED or not any(locations):
            return None
        if len(locations) > 1:  # some would follow the first, and others the last
            raise RefusedAddressError("redirect: it has several Locations")
        hop = replace(self, url=self._target(locations[0]), redirected=True)
        if _turns_to_get(response.status, self.method):
            hop = _as_get(hop)
        return hop if _origin(hop.url) == _origin(self.url) else _elsewhere(hop)

    def _target(self, location: str) -> str:
        try:
            url = canonical_location(location, self.url)
        except EndpointFault as fault:
            raise RefusedAddressError(f"redirect: its Location {fault}") from None
        if (_scheme(self.url), _scheme(url)) == ("https", "http"):
            raise RefusedAddressError("redirect: from https to http")
        return url


@lru_cache(maxsize=8192)
def _canonical(endpoint: str) -> str:
    return canonical_endpoint(endpoint)


def _elsewhere(hop: Hop) -> Hop:
    """Another origin sees no credentials, and has to prove who it is."""
    if hop.body and hop.revealed.in_body:
        raise RefusedAddressError("redirect: to another host, with secrets in the body")
    return replace(hop, headers=without_secrets(hop.headers, hop.revealed.call.headers), tls=None)


def _as_get(hop: Hop) -> Hop:
    """A signature is of the body that goes."""
    headers = hop.headers.copy()
    for name in (CONTENT_TYPE, SIGNATURE):
        headers.pop(name, None)
    return replace(hop, method="GET", headers=headers, body=None)


def _turns_to_get(status: int, method: str) -> bool:
    return (status in _TO_GET and method == "POST") or (status == HTTPStatus.SEE_OTHER and method != "HEAD")


def _origin(url: str) -> tuple[str, str]:
    return _scheme(url), host_and_port(url)


def _scheme(url: str) -> str:
    return urlsplit(url).scheme
