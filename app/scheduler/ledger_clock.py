"""The database's clock, as a replica knows it between two looks."""

from __future__ import annotations

from datetime import datetime, timedelta

from app.domain.clock import Clock
from app.scheduler.ports import JobSource

_LOOK_EVERY = 2.0
_JUMP = 0.5


class LedgerClock:
    """Counts on from the last look by the monotonic clock, which nobody sets.

    It looks again every two seconds, and whenever the wall clock jumped or the machine was suspended.
    """

    def __init__(self, clock: Clock, source: JobSource) -> None:
        self._clock = clock
        self._source = source
        self._looked_at = 0.0
        self._seen: datetime | None = None
        self._wall = clock.now()

    @property
    def skew(self) -> float:
        """Seconds by which the database was ahead of this machine's wall clock at the last look."""
        return 0.0 if self._seen is None else (self._seen - self._wall).total_seconds()

    def now(self) -> datetime:
        """Raises RuntimeError before the first `look`."""
        if self._seen is None:
            raise RuntimeError("the database's clock was not looked at yet")
        return self._seen + timedelta(seconds=self._clock.monotonic() - self._looked_at)

    async def look_if_stale(self) -> None:
        age = self._clock.monotonic() - self._looked_at
        drift = (self._clock.now() - self._wall).total_seconds() - age
        if self._seen is None or age >= _LOOK_EVERY or abs(drift) > _JUMP:
            await self.look()

    async def look(self) -> None:
        """Counted from when the answer is here: late by its way back, and never early, which costs a claim in vain."""
        seen = await self._source.time()
        self._looked_at = self._clock.monotonic()
        self._seen, self._wall = seen, self._clock.now()
