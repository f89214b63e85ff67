"""Doubtful commits: a transaction whose answer was lost may have committed. The ledger and the memory are compared."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import structlog

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
        self._absent: dict[UUID, int] = {}
        self._next_look = 0.0
        self.loop = Looper("doubts", self._step, clock)

    async def _step(self) -> float:
        if self._clock.monotonic() >= self._next_look:
            await self.settle()
            self._next_look = self._clock.monotonic() + LOOK_EVERY
        return self._next_look - self._clock.monotonic()

    async def settle(self) -> None:
        replica, calling = self._replica(), self._runner.in_flight()
        owned = await self._store.owned(replica)
        lost = {run_id for run_id, fence in calling.items() if owned.get(run_id) != fence}
        self._runner.cut(lost & self._runner.in_flight().keys(), TAKEN)
        known = calling.keys() | self._runner.in_flight().keys() | self._recorder.holds()
        absent = {run_id: fence for run_id, fence in owned.items() if run_id not in known}
        confirmed = {run_id: fence for run_id, fence in absent.items() if self._absent.get(run_id) == fence}
        self._absent = absent
        if confirmed:
            returned = await self._store.hand_back(replica, confirmed)
            _log.warning("runs that were started and never called are pending again", runs=returned)
