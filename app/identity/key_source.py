"""The public keys of an identity provider (RFC 7517), from a URL or a file."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import orjson
import structlog
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from app.domain.clock import Clock
from app.domain.errors import IdentityUnavailable

FRESH_SECONDS = 300.0
"""For so long they are taken as they were read: a key that the provider takes back is refused after that."""
AGAIN_SECONDS = 10.0
"""A key that is not among them makes them be read anew, no more often than this."""
STALE_SECONDS = 3600.0
"""For so long they are used while they can't be read."""
_READ_SECONDS = 5.0
_PATIENCE_SECONDS = 1.0
_MOST_BYTES = 1 << 20

_log = structlog.get_logger()


class NotJwksError(ValueError):
    """What was read is no set of keys."""


class KeySource:
    """Read when they are asked for. `place` is `https://...`, `http://...` or the path of a file."""

    def __init__(self, place: str, clock: Clock, tls: ssl.SSLContext | None = None) -> None:
        self._place = place
        self._clock = clock
        self._tls = tls
        self._found: KeySet | None = None
        self._found_at = self._tried_at = float("-inf")
        self._renewal: asyncio.Task[None] | None = None

    async def keys(self, kid: str | None) -> KeySet:
        """All of them, read anew where they are old, or the one that is asked for is not among them.

        Who finds them old waits for that a second; who names a key that is not there, to its end; nobody else. Raises
        IdentityUnavailable where they could not be read for an hour.
        """
        known = self._knows(kid)
        if not (known and self._age(self._found_at) < FRESH_SECONDS) and self._age(self._tried_at) >= AGAIN_SECONDS:
            self._tried_at = self._clock.monotonic()
            self._renewal = asyncio.create_task(self._renew())
            if known:
                await asyncio.wait([self._renewal], timeout=_PATIENCE_SECONDS)
        if not known and self._renewal is not None:
            await asyncio.wait([self._renewal])
        if self._found is None or self._age(self._found_at) > STALE_SECONDS:
            raise IdentityUnavailable(remedy="Try again in a moment, or use an API key.")
        return self._found

    def _knows(self, kid: str | None) -> bool:
        return self._found is not None and (kid is None or kid in {key.kid for key in self._found.keys})

    def _age(self, at: float) -> float:
        return self._clock.monotonic() - at

    async def _renew(self) -> None:
        asked = self._tried_at
        try:
            async with asyncio.timeout(_READ_SECONDS):
                self._found = _read_set(await self._read())
            self._found_at = asked
        except (OSError, aiohttp.ClientError, ValueError, TypeError, KeyError, JoseError) as error:
            _log.warning(
                "the keys of the identity provider can't be read", place=_shown(self._place), cause=_cause(error)
            )

    async def _read(self) -> bytes:
        """Raises OSError, ClientError or ValueError."""
        if not self._place.startswith(("http://", "https://")):
            return await asyncio.to_thread(Path(self._place).read_bytes)
        async with (
            aiohttp.ClientSession(headers={"Accept-Encoding": "identity"}, raise_for_status=True) as session,
            session.get(self._place, ssl=self._tls or True, allow_redirects=False) as answer,
        ):
            return await _whole(answer.content)


async def _whole(content: aiohttp.StreamReader) -> bytes:
    """Raises NotJwksError where it is too long."""
    told = b""
    async for piece in content.iter_any():
        told += piece
        if len(told) > _MOST_BYTES:
            raise NotJwksError(f"more than {_MOST_BYTES} bytes")
    return told


def _read_set(text: bytes) -> KeySet:
    """Keys that can't be used are passed over (RFC 7517, 5). Raises ValueError where none is left."""
    keys = []
    for each in orjson.loads(text)["keys"]:
        try:
            keys += KeySet.import_key_set({"keys": [each]}).keys if each.get("use", "sig") == "sig" else []
        except (ValueError, TypeError, KeyError, AttributeError, JoseError) as error:
            _log.warning("a key of the identity provider can't be used", cause=_cause(error))
    if not keys:
        raise NotJwksError("no key that can be used")
    return KeySet(keys)


def _cause(error: Exception) -> str:
    """In few words: its own may quote the URL, with a password, or a key."""
    match error:
        case aiohttp.ClientResponseError():
            return f"it answered {error.status}"
        case NotJwksError():
            return str(error)
        case OSError() if error.strerror:
            return error.strerror
        case _:
            return type(error).__name__


def _shown(place: str) -> str:
    """Without what may be a password."""
    parts = urlsplit(place)
    return f"{parts.scheme}://{parts.hostname}{parts.path}" if parts.scheme else place
