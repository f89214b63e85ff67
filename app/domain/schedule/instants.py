"""UTC instants as whole seconds since 1970, and the stretch of time in which schedules have occurrences."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
DAY = 86_400
"""Seconds of a day."""

END = (datetime(2100, 1, 1, tzinfo=UTC) - EPOCH) // SECOND
"""Occurrences lie in [0, END): from 1970, and before 2100."""


def at_or_before(t: datetime) -> int:
    """The last whole second that is not after t."""
    return (t - EPOCH) // SECOND


def before(t: datetime) -> int:
    """The last whole second strictly before t."""
    return -((EPOCH - t) // SECOND) - 1


def instant(seconds: int) -> datetime:
    return EPOCH + timedelta(seconds=seconds)
