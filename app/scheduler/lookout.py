"""A look at the ledger at regular times, and at once when something has happened."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from app.domain.clock import Clock


class Lookout:
    """`step` is that of a Looper. The next look is set before one begins: it may be told meanwhile to look again."""

    def __init__(self, look: Callable[[], Awaitable[None]], every: float, clock: Clock) -> None:
        self._look = look
        self._every = every
        self._clock = clock
        self._next = 0.0

    def now(self) -> None:
        self._next = 0.0

    def within(self, seconds: float) -> None:
        self._next = min(self._next, self._clock.monotonic() + seconds)

    async def step(self) -> float:
        """One that failed is still to be made."""
        if self._clock.monotonic() >= self._next:
            self._next = self._clock.monotonic() + self._every
            try:
                await self._look()
            except BaseException:
                self.now()
                raise
        return self._next - self._clock.monotonic()
