"""Cursors: where a page ended, signed, so that nobody builds on what they hold or makes them up."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hmac import compare_digest, digest
from typing import Literal, TypeVar
from uuid import UUID

from app.api.schemas.text import sound
from app.domain.errors import InvalidCursor

Kind = Literal[
    "jobs",
    "calendars",
    "limits",
    "keys",
    "secrets",
    "namespaces",
    "audit",
    "runs",
    "spans",
    "entries",
    "versions",
    "instants",
    "backfills",
    "attempts",
    "replicas",
    "stats",
]
K = TypeVar("K", str, int, UUID, datetime, tuple[datetime, UUID])

_SIGNATURE = 16
"""Bytes of an HMAC-SHA256."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_END = 4_102_444_800_000
"""Milliseconds from 1970 to 2100."""


def encode(page_key: bytes, kind: Kind, key: str | int | UUID) -> str:
    """`key` is that of the last item of the page, `page_key` what all replicas sign with."""
    return signed(page_key, json.dumps([kind, str(key)]).encode())


def decode(page_key: bytes, kind: Kind, cursor: str | None, read: Callable[[str], K]) -> K | None:
    """The key, or None without a cursor. Raises InvalidCursor for one that was not given out for this kind of page."""
    if cursor is None:
        return None
    try:
        found, key = json.loads(_told(page_key, cursor))
        if found != kind:
            raise ValueError(found)  # noqa: TRY301  # refused like anything else that is no cursor
        return read(key)
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise InvalidCursor(field="cursor", remedy="Use next_cursor as it was given, or leave it out.") from error


def signed(page_key: bytes, told: bytes) -> str:
    return urlsafe_b64encode(_signature(page_key, told) + told).decode().rstrip("=")


def _told(page_key: bytes, cursor: str) -> bytes:
    """Raises ValueError for what was not signed."""
    whole = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    signature, told = whole[:_SIGNATURE], whole[_SIGNATURE:]
    if not compare_digest(signature, _signature(page_key, told)):
        raise ValueError(cursor)
    return told


def _signature(page_key: bytes, told: bytes) -> bytes:
    return digest(page_key, told, "sha256")[:_SIGNATURE]


def name(key: str) -> str:
    """Raises ValueError."""
    key.encode()
    return sound(key)


def number(key: str) -> int:
    """Raises ValueError."""
    value = int(key)
    if not 0 <= value < 2**63:
        raise ValueError(value)
    return value


def version(key: str) -> int:
    """Also a fence. Raises ValueError for a number that none can have."""
    value = number(key)
    if value >= 2**31:
        raise ValueError(value)
    return value


def instant(key: str) -> datetime:
    """Of microseconds since 1970, see `microseconds`. Raises ValueError."""
    value = number(key)
    if value >= _END * 1000:
        raise ValueError(value)
    return _EPOCH + timedelta(microseconds=value)


def microseconds(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(microseconds=1)


def started(key: str) -> tuple[datetime, UUID]:
    """An instant and who started then. Raises ValueError."""
    at, _, who = key.partition(" ")
    return instant(at), UUID(who)


def run_id(key: str) -> UUID:
    """Raises ValueError for an id that no run can have."""
    value = UUID(key)
    if not is_possible(value):
        raise ValueError(value)
    return value


def job_id(key: str) -> UUID:
    """Raises ValueError."""
    return UUID(key)


def key_id(key: str) -> UUID:
    """Raises ValueError."""
    return UUID(key)


def is_possible(run_id: UUID) -> bool:
    """A run's id begins with its time, which the calendar must have."""
    return run_id.int >> 80 < _END
