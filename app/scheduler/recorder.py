"""Results on their way to the ledger, in batches; none is dropped while the ledger is away."""

from __future__ import annotations

from asyncio import Event
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from uuid import UUID

import structlog

from app.domain.claim import Finished, Held, Queued
from app.domain.clock import Clock
from app.domain.errors import StoreUnavailable
from app.domain.run import State
from app.scheduler.looper import LONGEST_WAIT, Looper
from app.scheduler.observer import Observer
from app.scheduler.ports import RecordStore

BATCH = 500
LINGER = 0.1
"""Seconds that a result waits for company: a thousand runs a second are to cost tens of statements."""

LONGEST_LINGER = 0.5
"""Seconds that it waits while calls wait for a place: those are due now, and a result is only read later."""

LONGEST_FLUSH = 5.0
"""Seconds that the last results are tried for where somebody has locked their jobs."""

_log = structlog.get_logger()


class Recorder:
    """`replica` says under which id this process holds its runs just now, `busy` whether calls wait for a place.

    `on_queued` is told of runs that are pending again, `on_failing` that a job has failed as often as it may.
    """

    def __init__(
        self,
        store: RecordStore,
        replica: Callable[[], UUID],
        clock: Clock,
        observer: Observer,
        busy: Callable[[], bool] = lambda: False,
        on_queued: Callable[[Iterable[Queued]], None] = lambda _: None,
        on_failing: Callable[[], None] = lambda: None,
    ) -> None:
        self._store = store
        self._replica = replica
        self._clock = clock
        self._observer = observer
        self._busy = busy
        self._on_queued = on_queued
        self._on_failing = on_failing
        self._waiting: deque[Finished] = deque()
        self._since = 0.0
        self._size = BATCH
        self.loop = Looper("recorder", self._step, clock)

    def put(self, finished: Finished) -> None:
        if not self._waiting:
            self._since = self._clock.monotonic()
            self.loop.wake()
        self._waiting.append(finished)
        if len(self._waiting) == BATCH:
            self.loop.wake()

    def holds(self) -> set[Held]:
        """The starts whose results are not in the ledger yet."""
        return {finished.started.held for finished in self._waiting}

    def done(self) -> set[Held]:
        """Those among them that are over for good: they succeeded, whenever that comes to be written."""
        return {each.started.held for each in self._waiting if each.outcome is not None and each.outcome.succeeded}

    async def flush(self) -> None:
        """Record everything now. Raises StoreUnavailable, also where somebody has locked a job for too long."""
        patient_until = self._clock.monotonic() + LONGEST_FLUSH
        while self._waiting:
            before = len(self._waiting)
            await self._record()
            if len(self._waiting) < before:
                continue
            if self._clock.monotonic() >= patient_until:
                raise StoreUnavailable(remedy=f"{before} results were not recorded; their runs are called again.")
            await self._clock.wait(Event(), LINGER)

    async def _step(self) -> float:
        if not self._waiting:
            return LONGEST_WAIT
        left = self._linger() - (self._clock.monotonic() - self._since)
        if left > 0:
            return min(left, LINGER)
        await self._record()
        self._since = self._clock.monotonic()
        return LINGER if self._waiting else LONGEST_WAIT

    def _linger(self) -> float:
        if self._busy():
            return LONGEST_LINGER
        return 0 if len(self._waiting) >= BATCH else LINGER

    async def _record(self) -> None:
        """A batch stays in `_waiting` until its commit is known, so that `holds` is never too small."""
        batch = [self._waiting[index] for index in range(min(self._size, len(self._waiting)))]
        try:
            recorded = await self._store.record(self._replica(), batch)
        except StoreUnavailable:
            raise
        except Exception:
            self._look_for_the_culprit(batch)
            raise
        self._size = min(2 * self._size, BATCH)
        for _ in batch:
            self._waiting.popleft()
        self._put_back(recorded.busy)
        busy = {finished.started.held for finished in recorded.busy}
        for finished in batch:
            if finished.started.held not in busy:
                self._tell(finished, recorded.states.get(finished.started.call.run_id))
        self._on_queued(recorded.queued)
        if recorded.failing:
            self._on_failing()

    def _put_back(self, busy: Sequence[Finished]) -> None:
        """Behind what may be written sooner, and with all results of their jobs, which stay in their order."""
        jobs = {finished.started.call.job_id for finished in busy}
        if jobs:
            self._waiting.extendleft(reversed(busy))
            self._waiting = deque(sorted(self._waiting, key=lambda each: each.started.call.job_id in jobs))

    def _look_for_the_culprit(self, batch: list[Finished]) -> None:
        """One result that can't be stored must not hold up the others: they go one by one, and pass it."""
        self._size = 1
        if len(batch) == 1:
            self._waiting.rotate(-1)

    def _tell(self, finished: Finished, became: State | None) -> None:
        """None is what was not ours any more."""
        call, outcome = finished.started.call, finished.outcome
        if became is None:
            self._observer.discarded(finished)
            _log.warning("result discarded: the run went to another", run=str(call.run_id), job=call.job_name)
            return
        self._observer.recorded(finished, became)
        error = finished.note if outcome is None else outcome.error
        level = _log.info if error is None else _log.warning
        level("run", job=call.job_name, run=str(call.run_id), attempt=call.attempt, state=became, error=error)
