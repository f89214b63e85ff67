"""A backfill: past occurrences of a job that a person wants run after all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from itertools import islice
from uuid import UUID

from app.domain.exclusion import Exclusions
from app.domain.lifecycle import ENDED
from app.domain.recurrence import Recurrence
from app.domain.run import State

MOST_LOOKED_AT = 10_000
"""Occurrences of one request: among these are those that are excluded, or need no run."""

CANCELED = "backfill canceled"
"""The reason of runs that ended with their backfill."""


class BackfillState(StrEnum):
    """`canceled` may still have calls that are to be cut: its `finished_at` is null then."""

    RUNNING = "running"
    DONE = "done"
    CANCELED = "canceled"


@dataclass(frozen=True, slots=True, kw_only=True)
class BackfillRequest:
    """The occurrences in (since, until]."""

    since: datetime
    until: datetime
    max: int = 100
    concurrency: int = 1
    only_missing: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Backfill(BackfillRequest):
    """A row of `backfills`. `total` runs were made; `left_out` occurrences follow, and `next_since` leads to them."""

    id: UUID
    job_id: UUID
    job_name: str
    job_version: int
    total: int
    left_out: int
    next_since: datetime | None
    created_at: datetime
    canceled_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far its runs are: how many in each state, and when the last of them ended."""

    counts: Mapping[State, int] = field(default_factory=dict)
    last_finished: datetime | None = None

    @property
    def unfinished(self) -> int:
        return sum(count for state, count in self.counts.items() if state not in ENDED)

    def state(self, backfill: Backfill) -> BackfillState:
        if backfill.canceled_at is not None:
            return BackfillState.CANCELED
        return BackfillState.RUNNING if self.unfinished else BackfillState.DONE

    def finished_at(self, backfill: Backfill) -> datetime | None:
        """Where there was nothing to run, that was at once."""
        return None if self.unfinished else self.last_finished or backfill.created_at


@dataclass(frozen=True, slots=True)
class Looked:
    """What there is to run, ascending, and up to where was looked; None is to the end."""

    occurrences: list[datetime]
    up_to: datetime | None


def look(recurrence: Recurrence, exclusions: Exclusions, since: datetime, until: datetime) -> Looked:
    """The occurrences of (since, until] that nothing excludes, of the first so many. Raises InvalidInput.

    Ten thousand take tens of milliseconds: too long for an event loop.
    """
    seen = list(islice(recurrence.walk(since, until), MOST_LOOKED_AT))
    up_to = seen[-1] if len(seen) == MOST_LOOKED_AT else None
    return Looked([at for at in seen if exclusions.covers(at) is None], up_to)
