"""Time at the edge: what the replica waits with. Due and lease times are judged by the database's clock instead."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """`now` is the wall clock in UTC and may jump; `monotonic` counts seconds and never goes back."""

    def now(self) -> datetime: ...

    def monotonic(self) -> float: ...

    async def wait(self, event: asyncio.Event, seconds: float) -> bool:
        """Wait until the event is set or the seconds have passed; say whether it was set."""
        ...


class SystemClock:
    """The clocks of this machine."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    async def wait(self, event: asyncio.Event, seconds: float) -> bool:
        try:
            async with asyncio.timeout(max(seconds, 0)):
                await event.wait()
        except TimeoutError:
            return event.is_set()
        return True


class FakeClock:
    """A clock that moves only when it is told to: `advance` moves both clocks, `step` the wall clock alone."""

    def __init__(self, start: datetime) -> None:
        self._wall = start
        self._seconds = 0.0
        self._sleepers: dict[asyncio.Future[None], tuple[float, asyncio.Event]] = {}
        self._blocked = asyncio.Condition()

    def now(self) -> datetime:
        return self._wall

    def monotonic(self) -> float:
        return self._seconds

    def step(self, by: timedelta) -> None:
        """Move the wall clock alone, as an operator or NTP does."""
        self._wall += by

    async def advance(self, by: timedelta) -> None:
        """Move both clocks, and wake whoever waited for a moment that has come."""
        self._wall += by
        self._seconds += by.total_seconds()
        for sleeper, (until, _) in list(self._sleepers.items()):
            if until <= self._seconds and not sleeper.done():
                sleeper.set_result(None)

    async def block_until(self, waiters: int) -> None:
        """Wait until so many tasks sleep on this clock; one about to wake does not (bounded: 10 s of real time)."""
        async with asyncio.timeout(10), self._blocked:
            await self._blocked.wait_for(lambda: self._asleep() >= waiters)

    async def wait(self, event: asyncio.Event, seconds: float) -> bool:
        if event.is_set() or seconds <= 0:
            await asyncio.sleep(0)  # others get their turn, as they do on the machine's clock
            return event.is_set()
        sleeper = asyncio.get_running_loop().create_future()
        self._sleepers[sleeper] = self._seconds + seconds, event
        woken = asyncio.ensure_future(event.wait())
        try:
            async with self._blocked:
                self._blocked.notify_all()
            await asyncio.wait({sleeper, woken}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            woken.cancel()
            del self._sleepers[sleeper]
        return event.is_set()

    def _asleep(self) -> int:
        return sum(not sleeper.done() and not event.is_set() for sleeper, (_, event) in self._sleepers.items())
