"""A stretch of occurrences that share one fate."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

PAUSED = "paused"
STOPPED = "scheduler paused"
UNSCHEDULABLE = "unschedulable"


@dataclass(frozen=True, slots=True)
class Span:
    """The occurrences in (after, until]; `until` and `count` are None while it is open.

    `note` and `paused_until` are what was said on pausing, whenever the pause came to end.
    """

    id: int
    job_id: UUID
    version: int
    after: datetime
    until: datetime | None
    count: int | None
    reason: str
    note: str | None = None
    paused_until: datetime | None = None
