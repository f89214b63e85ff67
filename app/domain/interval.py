"""How close the occurrences of a schedule come to each other."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice, pairwise

from app.domain.recurrence import RESOLUTION, Recurrence

LOOKED_AHEAD = timedelta(days=5 * 366)
"""Years of both lengths, with each of their days and each change of the clock."""
LOOKED_THROUGH = 10_000
"""Occurrences: the times of a day, of which there are 8,640 at most that are 10 s apart, and the next day's first."""


def closer_than(seconds: float, recurrence: Recurrence, after: datetime) -> tuple[datetime, datetime] | None:
    """The first two occurrences in a row that are, of those that are looked through."""
    least = timedelta(seconds=seconds)
    return next((pair for pair in pairwise(_ahead(recurrence, after)) if pair[1] - pair[0] < least), None)


def _ahead(recurrence: Recurrence, after: datetime) -> Iterator[datetime]:
    begin = after if recurrence.starts_at is None else max(after, recurrence.starts_at - RESOLUTION)
    return islice(recurrence.walk(begin, begin + LOOKED_AHEAD), LOOKED_THROUGH)
