"""Notices: what a job tells of itself, to whom, and in which words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from app.domain.instants import rfc3339
from app.domain.run import State
from app.domain.secret import HeaderValue


class Event(StrEnum):
    """A change of state that a job may tell."""

    FAILURE = "failure"
    RECOVERY = "recovery"
    MISSED = "missed"
    LOST = "lost"
    AUTO_PAUSED = "auto_paused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notify:
    """Which events are told at an endpoint, which is in its canonical form."""

    on: tuple[Event, ...]
    endpoint: str
    headers: Mapping[str, HeaderValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """An event, and the run that brought it about; none for a stretch of missed occurrences, or a pause.

    `count` is of missed occurrences, or of the failures before a pause.
    """

    event: Event
    run_id: UUID | None = None
    scheduled_for: datetime | None = None
    state: State | None = None
    reason: str | None = None
    error: str | None = None
    attempt: int | None = None
    count: int | None = None

    def body(self, job_id: UUID, job_name: str) -> dict[str, Any]:
        """What an endpoint is sent."""
        return {
            "event": self.event,
            "job": job_name,
            "job_id": str(job_id),
            "run_id": self.run_id and str(self.run_id),
            "scheduled_for": self.scheduled_for and rfc3339(self.scheduled_for),
            "state": self.state,
            "reason": self.reason,
            "error": self.error,
            "attempt": self.attempt,
            "count": self.count,
        }
