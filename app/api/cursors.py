"""Cursors: where a page ended, told so that nobody builds on what it holds."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from typing import Literal, TypeVar
from uuid import UUID

from app.api.schemas.text import sound
from app.domain.errors import InvalidCursor

Kind = Literal["jobs", "calendars", "limits", "runs", "spans", "entries"]
K = TypeVar("K", str, int, UUID)

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


def run_id(key: str) -> UUID:
    """Raises ValueError for an id that no run can have."""
    value = UUID(key)
    if not is_possible(value):
        raise ValueError(value)
    return value


def is_possible(run_id: UUID) -> bool:
    """A run's id begins with its time, which the calendar must have."""
    return run_id.int >> 80 < _END
