"""The policies of a job: what decides about its occurrences and about their runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from app.domain.auth import Auth
from app.domain.exclude import Exclude
from app.domain.notice import Notify
from app.domain.retry import Retry
from app.domain.success import Success
from app.domain.tls import Tls


class Overlap(StrEnum):
    """What a scheduled run does while another run of its job is active."""

    ALLOW = "allow"
    SKIP = "skip"
    QUEUE = "queue"
    CANCEL_PREVIOUS = "cancel_previous"


class Delivery(StrEnum):
    """What becomes of a run that was started and whose replica died: another attempt, or `lost`."""

    AT_LEAST_ONCE = "at_least_once"
    AT_MOST_ONCE = "at_most_once"


class MisfirePolicy(StrEnum):
    """Which of the misfires are caught up."""

    LATEST = "latest"
    EARLIEST = "earliest"
    ALL = "all"
    SKIP = "skip"


@dataclass(frozen=True, slots=True, kw_only=True)
class Misfire:
    """An occurrence older than the grace is a misfire; older than the window, or beyond `max`, it is missed."""

    policy: MisfirePolicy = MisfirePolicy.LATEST
    grace_seconds: float = 60.0
    window_seconds: float = 86400.0
    max: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class AsyncCompletion:
    """A target that answers 202 is done when it calls back; it has so long, from the answer or its last heartbeat."""

    timeout_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Policies:
    """Each with the default that stands for a row that says nothing. `signing` names the secrets that sign."""

    overlap: Overlap = Overlap.SKIP
    max_queued: int = 1
    misfire: Misfire = field(default_factory=Misfire)
    retry: Retry = field(default_factory=Retry)
    delivery: Delivery = Delivery.AT_LEAST_ONCE
    deadline_seconds: float | None = None
    success: Success = field(default_factory=Success)
    max_redirects: int = 0
    jitter_seconds: float = 0.0
    max_runs: int | None = None
    pause_after_failures: int | None = None
    concurrency_key: str | None = None
    exclude: Exclude = ()
    async_completion: AsyncCompletion | None = None
    notify: tuple[Notify, ...] = ()
    keep_runs: int | None = None
    auth: Auth | None = None
    signing: tuple[str, ...] = ()
    tls: Tls = field(default_factory=Tls)
