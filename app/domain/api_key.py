"""API keys: what is told once, and what is kept of it.

A key is `cronledger_`, 256 random bits and a checksum, so that a scanner of secrets knows one where it lies, and a
mistyped one costs no look into the database. Beside the alphabet the form is that of GitHub's tokens.
"""

from __future__ import annotations

import re
import string
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from uuid import UUID
from zlib import crc32

from app.domain.access import Caller, Scope
from app.domain.namespace import DEFAULT

PREFIX = "cronledger_"
BITS = 256
_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_LENGTH = 43
"""Digits that hold 256 bits to the base of 62."""
_CHECK = 6
"""Digits that hold a CRC-32."""
_HINT = len(PREFIX) + 6
_HINT_OF_OTHERS = 4
_GIVEN = re.compile(r"[!-~]{32,255}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A row of `api_keys`. `hint` is how the key begins: enough to know it again, and too little to guess the rest."""

    id: UUID
    name: str
    hint: str
    digest: str
    scopes: frozenset[Scope]
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None
    namespace: str = DEFAULT

    def holds(self, now: datetime) -> bool:
        """Whether it may be used."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)

    @property
    def caller(self) -> Caller:
        return Caller(str(self.id), self.name, self.scopes, self.expires_at, self.namespace)


def compose(secret: bytes) -> str:
    """The key of 32 random bytes."""
    body = _digits(int.from_bytes(secret), _LENGTH)
    return f"{PREFIX}{body}{_checksum(body)}"


def is_possible(key: str) -> bool:
    """Whether it can be a key: one of ours with its checksum, or one that an operator made of visible ASCII."""
    if not key.startswith(PREFIX):
        return _GIVEN.fullmatch(key) is not None
    body, check = key[len(PREFIX) : -_CHECK], key[-_CHECK:]
    return len(body) == _LENGTH and _checksum(body) == check


def digest_of(key: str) -> str:
    """SHA-256, in hex. 256 random bits need no slow hash: nobody can try them all."""
    return sha256(key.encode()).hexdigest()


def tenants_digest_of(key: str) -> str:
    """Of a key outside of `default`: a release that knows no namespaces must not take it for one of `default`."""
    return digest_of(f"namespaced {key}")


def hint_of(key: str) -> str:
    return key[: _HINT if key.startswith(PREFIX) else _HINT_OF_OTHERS]


def _checksum(body: str) -> str:
    return _digits(crc32(body.encode()), _CHECK)


def _digits(number: int, length: int) -> str:
    told = ""
    for _ in range(length):
        number, digit = divmod(number, len(_ALPHABET))
        told = _ALPHABET[digit] + told
    return told
