"""Doubtful commits: a transaction whose answer was lost may have committed. The ledger and the memory are compared."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import structlog

from app.domain.claim import Held
from app.domain.clock import Clock
from app.scheduler.looper import Looper
from app.scheduler.ports import Membership
from app.scheduler.recorder import Recorder
from app.scheduler.runner import TAKEN, Runner

LOOK_EVERY = 10.0
"""Seconds; longer than any statement may take, so that what is absent in two looks is not on its way."""

_log = structlog.get_logger()


class Doubts:
    """Runs that are ours in the ledger and were never called go back; calls whose run went to another are cut."""

    def __init__(
        self, store: Membership, replica: Callable[[], UUID], runner: Runner, recorder: Recorder, clock: Clock
    ) -> None:
        self._store = store
        self._replica = replica
        self._runner = runner
        self._recorder = recorder
        self._clock = clock
        self._absent: set[Held] = set()
        self._next_look = 0.0
        self.loop = Looper("doubts", self._step, clock)

    async def _step(self) -> float:
        """A look that failed counts too: the next one is as far from it."""
        if self._clock.monotonic() >= self._next_look:
            try:
                await self.settle()
            finally:
                self._next_look = self._clock.monotonic() + LOOK_EVERY
        return self._next_look - self._clock.monotonic()

    async def settle(self) -> None:
        replica, calling = self._replica(), self._runner.in_flight()
        owned = set((await self._store.owned(replica)).items())
        self._runner.cut(calling - owned, TAKEN)
        absent = owned - calling - self._runner.in_flight() - self._recorder.holds()
        confirmed, self._absent = absent & self._absent, absent
        if confirmed:
            returned = await self._store.hand_back(replica, dict(confirmed))
            _log.warning("runs that were started and never called are pending again", runs=returned)
