"""Cancels: whichever replica was asked, the one that makes the call cuts it."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from app.domain.clock import Clock
from app.scheduler.looper import Looper
from app.scheduler.ports import CancelSource
from app.scheduler.runner import Runner

LOOK_EVERY = 1.0
CANCELED = "cut off: the run was canceled"


class Cancellations:
    """Looks each second for the calls of this replica that are to be cut. The ledger keeps why, and ends the runs."""

    def __init__(self, source: CancelSource, replica: Callable[[], UUID], runner: Runner, clock: Clock) -> None:
        self._source = source
        self._replica = replica
        self._runner = runner
        self.loop = Looper("cancellations", self._step, clock)

    def look_now(self) -> None:
        """A cancel was asked for in this process; the call may be another's."""
        self.loop.wake()

    async def _step(self) -> float:
        if self._runner.in_flight():
            self._runner.cut(await self._source.asked(self._replica()), CANCELED)
        return LOOK_EVERY
