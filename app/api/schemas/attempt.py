"""Attempts: each call of a run."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Self
from uuid import UUID

from pydantic import BaseModel, Field

from app.api.schemas.page import Page
from app.domain.attempt import Attempt, Ending

_MILLISECOND = timedelta(milliseconds=1)


class AttemptOut(BaseModel):
    """One call, and how long its stages took: a stage that it didn't get through is null."""

    attempt: int = Field(description="Counts from 1; a call that never left is not counted.")
    outcome: Ending = Field(
        description="`accepted`: answered 202, a callback tells the rest. `cut`: broken off, `error` says why. `lost`: "
        "its replica died on it."
    )
    discarded: bool = Field(description="Whether its result came when the run had gone to another replica.")
    replica: UUID | None = Field(description="Which made the call.")
    due_at: datetime | None = Field(description="Since when the call might have begun.")
    began_at: datetime | None
    ended_at: datetime | None
    queue_ms: float | None = Field(description="From `due_at` to `began_at`: gates, and want of a place for the call.")
    dns_ms: float | None = Field(description="The lookup; null too where the address was known.")
    connect_ms: float | None = Field(description="TCP and TLS; null too on a connection that was kept.")
    first_byte_ms: float | None = Field(description="From the connection to the head of the answer.")
    total_ms: float | None = Field(description="From `began_at` to `ended_at`.")
    status_code: int | None
    error: str | None
    response_excerpt: str | None = Field(description="2 KiB at most, of what did not succeed.")

    @classmethod
    def of(cls, attempt: Attempt) -> Self:
        return cls(
            attempt=attempt.attempt,
            outcome=attempt.outcome,
            discarded=attempt.discarded,
            replica=attempt.replica,
            due_at=attempt.due_at,
            began_at=attempt.began_at,
            ended_at=attempt.ended_at,
            queue_ms=_between(attempt.due_at, attempt.began_at),
            dns_ms=_milliseconds(attempt.timing.dns),
            connect_ms=_milliseconds(attempt.timing.connect),
            first_byte_ms=_milliseconds(attempt.timing.first_byte),
            total_ms=_between(attempt.began_at, attempt.ended_at),
            status_code=attempt.status_code,
            error=attempt.error,
            response_excerpt=attempt.response_excerpt,
        )


class AttemptPage(Page[AttemptOut]):
    """Oldest first."""


def _between(start: datetime | None, end: datetime | None) -> float | None:
    return None if start is None or end is None else round((end - start) / _MILLISECOND, 3)


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 3)
