"""Doubtful commits: a transaction whose answer was lost may have committed. The ledger and the memory are compared."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import structlog

from app.domain.claim import Held
from app.domain.clock import Clock
from app.scheduler.commits import Commits
from app.scheduler.lookout import Lookout
from app.scheduler.looper import Looper
from app.scheduler.ports import Membership
from app.scheduler.recorder import Recorder
from app.scheduler.runner import TAKEN, Runner

LOOK_EVERY = 10.0
"""Seconds; for commits that land after the look at them, as on a busy server, and for runs that were taken over."""

LOOK_AGAIN = 1.0

_log = structlog.get_logger()


class Doubts:
    """Runs that are ours in the ledger and were never called go back; calls whose run went to another are cut."""

    def __init__(
        self,
        store: Membership,
        replica: Callable[[], UUID],
        runner: Runner,
        recorder: Recorder,
        commits: Commits,
        clock: Clock,
    ) -> None:
        self._store = store
        self._replica = replica
        self._runner = runner
        self._recorder = recorder
        self._commits = commits
        self._lookout = Lookout(self.settle, LOOK_EVERY, clock)
        self.loop = Looper("doubts", self._lookout.step, clock)

    def look_now(self) -> None:
        """A commit failed, or seemed to."""
        self._lookout.now()
        self.loop.wake()

    async def settle(self) -> None:
        """What is absent may be on its way to us, so it is lost only if it still is when that transaction has ended."""
        absent = await self._absent()
        if absent:
            await self._commits.ended()
            absent &= await self._absent()
        if not absent:
            return
        returned = await self._store.hand_back(self._replica(), dict(absent))
        if returned:
            _log.warning("runs that were started and never called are pending again", runs=returned)
        if returned < len(absent):  # their jobs may have been locked
            self._lookout.within(LOOK_AGAIN)

    async def _absent(self) -> set[Held]:
        """What is ours in the ledger and neither called nor recorded here."""
        replica, calling, known = self._replica(), self._runner.in_flight(), self._known()
        owned = set((await self._store.owned(replica)).items())
        self._runner.cut(calling - owned, TAKEN)
        return owned - known - self._known()

    def _known(self) -> set[Held]:
        return self._runner.in_flight() | self._recorder.holds()
