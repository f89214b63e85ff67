"""Whether a failed attempt is made again, and when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from hashlib import blake2b
from uuid import UUID

from app.domain.run import Outcome
from app.domain.success import matches

CONNECT, TIMEOUT, PROTOCOL = "connect", "timeout", "protocol"
_NOT_SENT = frozenset({"connect", "dns", "tls"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """Attempts of one run. `on` holds statuses as `429` or `5xx`, and kinds of error; `connect` is dns and tls too.

    `callback` is of a target that called back and said that it had failed.
    `max_attempts` counts attempts that failed: one that was cut off with its replica is not held against the target.
    `max_duration_seconds` counts from the first attempt: no later attempt is due after it.
    """

    max_attempts: int = 3
    min_backoff_seconds: float = 5.0
    max_backoff_seconds: float = 3600.0
    multiplier: float = 2.0
    jitter: bool = True
    max_duration_seconds: float | None = None
    on: tuple[str, ...] = (CONNECT, TIMEOUT, "429", "5xx")

    def covers(self, outcome: Outcome) -> bool:
        """Whether a failure of this kind may be tried again."""
        return any(_matches(each, outcome) for each in self.on)

    def delay(self, run_id: UUID, failures: int, asked: timedelta | None = None) -> timedelta:
        """How long after so many failed attempts the next one is due, never less or more than the two bounds.

        The jitter adds up to half, and is the same wherever it is computed. `asked` is the target's Retry-After, which
        is obeyed within the bounds.
        """
        shortest, longest = timedelta(seconds=self.min_backoff_seconds), timedelta(seconds=self.max_backoff_seconds)
        if asked is not None:
            return min(max(asked, shortest), longest)
        backoff = timedelta(seconds=self._backoff(failures))
        return min(backoff * (1 + _fraction(run_id, failures) / 2), longest) if self.jitter else backoff

    def _backoff(self, failures: int) -> float:
        """Bounded at each step: the power by itself may be more than a float holds."""
        seconds = min(self.min_backoff_seconds, self.max_backoff_seconds)
        for _ in range(failures - 1):
            seconds = min(seconds * self.multiplier, self.max_backoff_seconds)
        return seconds


def _matches(condition: str, outcome: Outcome) -> bool:
    if outcome.kind == "status" and outcome.status_code is not None:
        return matches(condition, outcome.status_code)
    return outcome.kind in _NOT_SENT if condition == CONNECT else outcome.kind == condition


def _fraction(run_id: UUID, failures: int) -> float:
    """In [0, 1)."""
    digest = blake2b(run_id.bytes + failures.to_bytes(4, "big"), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64
