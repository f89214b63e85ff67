"""Instants as text."""

from __future__ import annotations

from datetime import UTC, datetime


def rfc3339(instant: datetime) -> str:
    """Write an instant in UTC with a Z, its microseconds only where it has some."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")
