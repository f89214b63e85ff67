"""An attempt: one HTTP call of a run, with its times."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class Ending(StrEnum):
    """How a call ended. `accepted`: the target answered 202, and is to call back. `lost`: its replica died."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    ACCEPTED = "accepted"
    CUT = "cut"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds of a call's stages; None is one that it didn't get through, or that a kept connection spared it.

    `connect` is TCP and TLS, `first_byte` from the request's first byte to the answer's head.
    """

    dns: float | None = None
    connect: float | None = None
    first_byte: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A row of `job_attempts`, or a call that is under way.

    Each start of a run raises its `fence`; `attempt` counts the calls, and one that never left is not counted. `due_at`
    is when the call might have begun. `discarded`: its result came when the run had gone to another replica.
    """

    fence: int
    attempt: int
    replica: UUID | None
    outcome: Ending
    discarded: bool = False
    due_at: datetime | None = None
    began_at: datetime | None = None
    ended_at: datetime | None = None
    timing: Timing = Timing()
    status_code: int | None = None
    error: str | None = None
    response_excerpt: str | None = None
