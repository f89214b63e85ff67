"""Pending runs on their way to a call, as places become free."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from datetime import timedelta
from uuid import UUID

from app.domain.claim import Queued
from app.domain.clock import Clock
from app.scheduler.looper import LONGEST_WAIT, Looper
from app.scheduler.ports import StartStore
from app.scheduler.runner import Runner
from app.scheduler.slots import CallSlots

LINGER = 0.02
"""Seconds in which freed places are gathered, so that they are filled by one transaction."""

GRACE = timedelta(seconds=1)
"""A pending run is first of all for the replica that knows of it; the others take it up when it is overdue by this."""

LOOK_EVERY = 1.0


class Dispatcher:
    """Starts what this replica queued, and what the ledger has pending and nobody starts."""

    def __init__(
        self,
        store: StartStore,
        replica: Callable[[], UUID],
        may_start: Callable[[], bool],
        slots: CallSlots,
        runner: Runner,
        clock: Clock,
    ) -> None:
        self._store = store
        self._replica = replica
        self._may_start = may_start
        self._slots = slots
        self._runner = runner
        self._clock = clock
        self._queues: dict[str, deque[Queued]] = {}
        self._known: set[UUID] = set()
        self._started_at = float("-inf")
        self._next_look = 0.0
        self.loop = Looper("dispatcher", self._step, clock)

    def __len__(self) -> int:
        """How many runs wait here for a place."""
        return len(self._known)

    def enqueue(self, runs: Iterable[Queued]) -> None:
        for run in runs:
            if run.run_id not in self._known:
                self._known.add(run.run_id)
                self._queues.setdefault(run.host, deque()).append(run)
        self.loop.wake()

    def places_freed(self) -> None:
        if self._queues:
            self.loop.wake()

    def look_now(self) -> None:
        """There may be pending runs that nobody here knows of."""
        self._next_look = 0.0
        self.loop.wake()

    async def _step(self) -> float:
        if not self._may_start():
            return LONGEST_WAIT
        await self._look()
        since = self._clock.monotonic() - self._started_at
        if self._queues and since < LINGER:
            return LINGER - since
        if batch := self._admitted():
            await self._start(batch)
            return 0 if self._queues else LONGEST_WAIT
        return LONGEST_WAIT

    async def _look(self) -> None:
        if self._clock.monotonic() < self._next_look or not self._slots.free:
            return
        self._next_look = self._clock.monotonic() + LOOK_EVERY
        self.enqueue(await self._store.pending(self._slots.free, self._slots.full_hosts(), GRACE))

    def _admitted(self) -> list[Queued]:
        """The runs for which there is a place now, hosts in turn, so that a slow one doesn't starve the others.

        The host that was served last stands last in `_queues`, also when places become free one by one.
        """
        batch: list[Queued] = []
        hosts = deque(self._queues)
        while hosts and self._slots.free:
            host = hosts.popleft()
            if self._slots.admit(host):
                queue = self._queues.pop(host)
                batch.append(queue.popleft())
                if queue:
                    self._queues[host] = queue
                    hosts.append(host)
        return batch

    async def _start(self, batch: list[Queued]) -> None:
        replica = self._replica()
        try:
            started = await self._store.start(replica, batch)
        except BaseException:
            self._give_back(batch)
            self.enqueue(batch)
            raise
        self._started_at = self._clock.monotonic()
        self._runner.launch(replica, started)
        ours = {run.call.run_id for run in started}
        self._give_back([run for run in batch if run.run_id not in ours])
        self._known.difference_update(run.run_id for run in batch)

    def _give_back(self, batch: list[Queued]) -> None:
        self._known.difference_update(run.run_id for run in batch)
        for run in batch:
            self._slots.release(run.host)
