"""Cursors: where a page ended, told so that nobody builds on what it holds."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
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

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_END = 4_102_444_800_000
"""Milliseconds from 1970 to 2100."""


def encode(kind: Kind, key: str | int | UUID) -> str:
    """`key` is that of the last item of the page."""
    return urlsafe_b64encode(json.dumps([kind, str(key)]).encode()).decode().rstrip("=")


def decode(kind: Kind, cursor: str | None, read: Callable[[str], K]) -> K | None:
    """The key, or None without a cursor. Raises InvalidCursor for one that was not given out for this kind of page."""
    if cursor is None:
        return None
    try:
        found, key = json.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if found != kind:
            raise ValueError(found)  # noqa: TRY301  # refused like anything else that is no cursor
        return read(key)
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise InvalidCursor(field="cursor", remedy="Use next_cursor as it was given, or leave it out.") from error


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
