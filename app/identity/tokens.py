"""Tokens of an identity provider: JWTs (RFC 7519) that name who asks, checked as RFC 8725 has it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from joserfc import jws, jwt
from joserfc.errors import JoseError

from app.domain.access import Caller, Scope
from app.domain.clock import Clock
from app.domain.errors import Unauthenticated
from app.domain.namespace import DEFAULT
from app.identity.key_source import KeySource
from app.identity.trust import Trust

LEEWAY_SECONDS = 30
_LONGEST = 16_384
_LONGEST_SUBJECT = 1024
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DOTS = 2
_KNOWN = {scope.value: scope for scope in Scope}


class TokenReader:
    """Raises Unauthenticated for a token that does not count, IdentityUnavailable where nobody can say."""

    def __init__(self, trust: Trust, source: KeySource, clock: Clock) -> None:
        self._trust = trust
        self._source = source
        self._clock = clock

    @staticmethod
    def is_token(told: str) -> bool:
        """Whether it has the form: a JSON object in base64url begins with `eyJ`."""
        return told.startswith("eyJ") and told.count(".") == _DOTS

    async def caller(self, told: str) -> Caller:
        try:
            return self._caller(await self._claims(told))
        except JoseError as error:
            raise _refused(error.description or error.error) from None
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
            raise _refused("it can't be read") from None

    def _caller(self, claims: Mapping[str, Any]) -> Caller:
        subject, until = claims["sub"], _EPOCH + timedelta(seconds=claims["exp"] + LEEWAY_SECONDS)
        return Caller(f"{claims['iss']} {subject}", subject, self._scopes(claims), until, self._namespace(claims))

    async def _claims(self, told: str) -> dict[str, Any]:
        if len(told) > _LONGEST or not told.isascii():
            raise ValueError(told[:3])
        header = jws.extract_compact(told.encode()).headers()
        if "crit" in header:
            raise _refused("its header names an extension that must be understood (RFC 7515, 4.1.11)")
        kid = header.get("kid")
        keys = await self._source.keys(kid)
        if kid is None and len(keys.keys) > 1:
            raise _refused("it does not say which key signed it")
        claims = jwt.decode(told, keys, algorithms=list(self._trust.algorithms)).claims
        self._registry().validate(claims)
        _check_subject(claims["sub"])
        return claims

    def _registry(self) -> jwt.JWTClaimsRegistry:
        return jwt.JWTClaimsRegistry(
            now=int(self._clock.now().timestamp()),
            leeway=LEEWAY_SECONDS,
            iss={"essential": True, "value": self._trust.issuer},
            aud={"essential": True, "value": self._trust.audience},
            sub={"essential": True},
            exp={"essential": True},
        )

    def _namespace(self, claims: Mapping[str, Any]) -> str:
        """A token that doesn't say one is not for `default`, where it might reach the whole service."""
        if not self._trust.namespace_claim:
            return DEFAULT
        found = _claim(claims, self._trust.namespace_claim)
        if not isinstance(found, str) or not found:
            raise _refused(f"its claim {self._trust.namespace_claim} names no namespace")
        return found

    def _scopes(self, claims: Mapping[str, Any]) -> frozenset[Scope]:
        allowed: set[Scope] = set()
        for value in _values(_claim(claims, self._trust.claim)):
            if self._trust.scopes:
                allowed |= self._trust.scopes.get(value, frozenset())
            elif value in _KNOWN:
                allowed.add(_KNOWN[value])
        return frozenset(allowed)


def _check_subject(subject: str) -> None:
    """Raises ValueError for what no database keeps."""
    subject.encode()
    if "\0" in subject or not 0 < len(subject) <= _LONGEST_SUBJECT:
        raise ValueError(subject[:9])


def _claim(claims: Mapping[str, Any], path: str) -> object:
    """By its name, or by names with dots between them, from the outside in: `realm_access.roles`."""
    if path in claims:
        return claims[path]
    found: object = claims
    for name in path.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def _values(told: object) -> list[str]:
    """A list of texts, or one text with blanks between them (RFC 8693, 4.2)."""
    if isinstance(told, str):
        return told.split()
    return [each for each in told if isinstance(each, str)] if isinstance(told, list) else []


def _refused(why: str) -> Unauthenticated:
    return Unauthenticated(f"The token is refused: {why}.", remedy="Have the identity provider make a new one.")
