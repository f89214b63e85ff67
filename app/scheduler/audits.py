"""The auditor's rounds: whichever replica comes first counts what was due."""

from __future__ import annotations

from app.domain.clock import Clock
from app.scheduler.looper import Looper
from app.scheduler.ports import Audit

AUDIT_EVERY = 60.0
"""Seconds."""


class Audits:
    """A round at the start and then each minute; what takes more than one step is gone on with at once."""

    def __init__(self, audit: Audit, clock: Clock) -> None:
        self._audit = audit
        self._clock = clock
        self._next_round = clock.monotonic()
        self.loop = Looper("audits", self._step, clock)

    async def _step(self) -> float:
        if self._clock.monotonic() >= self._next_round and not await self._audit.audit():
            self._next_round = self._clock.monotonic() + AUDIT_EVERY
        return max(self._next_round - self._clock.monotonic(), 0.0)
