"""Jobs that fail too often in a row: whichever replica looks first pauses them."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from app.domain.claim import Queued
from app.domain.clock import Clock
from app.scheduler.lookout import Lookout
from app.scheduler.looper import BUSY_PAUSE, Looper
from app.scheduler.ports import FailureStore

LOOK_EVERY = 30.0
"""Seconds; for those whose replica died before it could pause them, and for limits that were lowered."""


class Failing:
    """`on_change` is told the jobs that are paused now, `on_queued` what was due of them before."""

    def __init__(
        self,
        store: FailureStore,
        clock: Clock,
        on_change: Callable[[Iterable[int]], None],
        on_queued: Callable[[Iterable[Queued]], None],
    ) -> None:
        self._store = store
        self._on_change = on_change
        self._on_queued = on_queued
        self._lookout = Lookout(self._look, LOOK_EVERY, clock)
        self.loop = Looper("failing", self._lookout.step, clock)

    def look_now(self) -> None:
        """A failure was recorded here that is one too many."""
        self._lookout.now()
        self.loop.wake()

    async def _look(self) -> None:
        paused = await self._store.pause_failing()
        if paused.busy:
            self._lookout.within(BUSY_PAUSE)
        if paused.jobs:
            self._on_change(paused.jobs)
            self._on_queued(paused.queued)
            self.look_now()
