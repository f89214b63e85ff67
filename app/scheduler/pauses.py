"""Pauses that were made until an instant: whichever replica looks first ends them."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from app.domain.clock import Clock
from app.scheduler.looper import Looper
from app.scheduler.ports import PauseStore

LOOK_EVERY = 1.0


class Pauses:
    """`on_change` is told the jobs that go on."""

    def __init__(self, store: PauseStore, clock: Clock, on_change: Callable[[Iterable[int]], None]) -> None:
        self._store = store
        self._on_change = on_change
        self.loop = Looper("pauses", self._step, clock)

    async def _step(self) -> float:
        resumed = await self._store.end_due()
        if resumed:
            self._on_change(resumed)
        return 0 if resumed else LOOK_EVERY
