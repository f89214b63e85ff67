"""Burials: replicas whose lease has ended are declared dead, and their runs taken over."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import structlog

from app.domain.clock import Clock
from app.domain.run import State, Trigger
from app.scheduler.looper import LONGEST_WAIT, Looper
from app.scheduler.ports import Membership

MOST_BETWEEN_LOOKS = 2.0

_log = structlog.get_logger()


class Burials:
    """Apart from the renewals of a lease, which must not wait for what a takeover may wait for.

    `held` says whether this replica holds its own lease: one that overslept may be the dead one. `on_taken` is called
    with what became of the runs.
    """

    def __init__(
        self,
        store: Membership,
        clock: Clock,
        lease_seconds: float,
        held: Callable[[], bool],
        on_taken: Callable[[list[tuple[State, Trigger]]], None],
    ) -> None:
        self._store = store
        self._lease = timedelta(seconds=lease_seconds)
        self._pause = min(lease_seconds / 3, MOST_BETWEEN_LOOKS)
        self._held = held
        self._on_taken = on_taken
        self.loop = Looper("burials", self._step, clock)

    async def _step(self) -> float:
        if not self._held():
            return LONGEST_WAIT
        if taken := await self._store.bury(self._lease):
            again = sum(state is State.PENDING for state, _ in taken)
            _log.warning("runs of a dead replica were taken over", runs=len(taken), pending_again=again)
            self._on_taken(taken)
        return self._pause
