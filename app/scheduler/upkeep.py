"""Upkeep of the database: what is due now and then, whichever replica comes first."""

from __future__ import annotations

from app.domain.clock import Clock
from app.scheduler.looper import Looper
from app.scheduler.ports import Keeper

TEND_EVERY = 3600.0
"""Seconds."""


class Upkeep:
    """A round at the start and then each hour; one that failed is made again soon."""

    def __init__(self, keeper: Keeper, clock: Clock) -> None:
        self._keeper = keeper
        self._clock = clock
        self._next_round = clock.monotonic()
        self.loop = Looper("upkeep", self._step, clock)

    async def _step(self) -> float:
        if self._clock.monotonic() >= self._next_round:
            if await self._keeper.tend():
                return 0.0  # a step ends soon, or it would count as standing still
            self._next_round = self._clock.monotonic() + TEND_EVERY
        return self._next_round - self._clock.monotonic()
