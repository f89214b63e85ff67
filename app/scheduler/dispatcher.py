"""Pending runs on their way to a call, as places become free."""

from __future__ import annotations

import heapq
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from operator import attrgetter
from uuid import UUID

from app.domain.claim import Held, Queued, Recorded
from app.domain.clock import Clock
from app.scheduler.commits import Commits
from app.scheduler.ledger_clock import LedgerClock
from app.scheduler.looper import BUSY_PAUSE, LONGEST_WAIT, Looper
from app.scheduler.ports import StartStore
from app.scheduler.runner import Runner
from app.scheduler.slots import CallSlots

LINGER = 0.02
"""Seconds in which freed places are gathered, so that they are filled by one transaction."""

GRACE = timedelta(seconds=1)
"""A pending run is first of all for the replica that knows of it; the others take it up when it is overdue by this."""

LOOK_EVERY = 1.0
"""Seconds. Where runs are held up, their gates are looked at as soon as this replica has recorded the end of a run."""

REST = 9.0
LONGEST_REST = 5.0
"""Seconds. A look for pending runs is followed by so many times as long without a regular one, within this limit.

It may pass over many thousands that wait for full hosts, and so takes the database a tenth of its time at most.
"""


class Dispatcher:
    """Starts what this replica queued, and what the ledger has pending and nobody starts.

    `on_timed_out` is told what became of runs whose callback, or whose call, did not come in time.
    """

    def __init__(
        self,
        store: StartStore,
        replica: Callable[[], UUID],
        may_start: Callable[[], bool],
        slots: CallSlots,
        runner: Runner,
        commits: Commits,
        time: LedgerClock,
        clock: Clock,
        on_timed_out: Callable[[Recorded], None] = lambda _: None,
        done: Callable[[], set[Held]] = set,
    ) -> None:
        self._store = store
        self._replica = replica
        self._may_start = may_start
        self._slots = slots
        self._runner = runner
        self._commits = commits
        self._time = time
        self._clock = clock
        self._on_timed_out = on_timed_out
        self._done = done
        self._queues: dict[str, deque[Queued]] = {}
        self._later: list[tuple[datetime, UUID, Queued]] = []
        self._known: set[UUID] = set()
        self._busy: set[UUID] = set()
        self._started_at = float("-inf")
        self._next_look = 0.0
        self._next_end = 0.0
        self._rested_at = 0.0
        self._has_more = False
        self._waited_for = False
        self._gates_moved = False
        self.loop = Looper("dispatcher", self._step, clock)

    def __len__(self) -> int:
        """How many runs wait here for a place."""
        return len(self._known) - len(self._later)

    def enqueue(self, runs: Iterable[Queued]) -> None:
        """Those that are not due yet are kept until then."""
        for run in self._but_for_the_kept_places(runs):
            if run.run_id in self._known:
                continue
            self._known.add(run.run_id)
            if run.due_at is None:
                self._queues.setdefault(run.host, deque()).append(run)
            else:
                heapq.heappush(self._later, (run.due_at, run.run_id, run))
            self.loop.wake()

    def places_freed(self) -> None:
        if self._queues or self._has_more:
            self.loop.wake()

    def runs_ended(self) -> None:
        """What was held up by them may go on."""
        if self._waited_for:
            self._gates_moved = True
            self.loop.wake()

    def look_now(self) -> None:
        """There may be pending runs that nobody here knows of."""
        self._next_look = self._rested_at = 0.0
        self.loop.wake()

    async def _step(self) -> float:
        if not self._may_start():
            return LONGEST_WAIT
        await self._look()
        self._come_due()
        since = self._clock.monotonic() - self._started_at
        if self._queues and since < LINGER:
            return LINGER - since
        if batch := self._admitted():
            await self._start(batch)
            if self._queues or self._has_more:
                return 0
        return self._until_next()

    async def _look(self) -> None:
        """A look that found as many as were asked for is followed by another as places become free."""
        now = self._clock.monotonic()
        regular = now >= self._next_look
        if regular:
            self._next_look = now + LOOK_EVERY
        if regular or now >= self._next_end:
            await self._end_what_is_late()
        if not self._slots.free:
            self._has_more = self._has_more or regular
            return
        if regular or self._gates_moved:
            await self._look_at_gates()
        if (regular and now >= self._rested_at) or (self._has_more and not self._queues):
            await self._look_for_pending()

    async def _end_what_is_late(self) -> None:
        """Runs that should have ended by now. What others hold is tried again soon: each time, they may be claiming."""
        self._next_end = self._clock.monotonic() + LOOK_EVERY
        for ended in (await self._store.expire(), await self._store.time_out()):
            self.enqueue(ended.queued)
            self._on_timed_out(ended)
            if ended.more:
                self._next_end = self._clock.monotonic() + BUSY_PAUSE

    async def _look_at_gates(self) -> None:
        self._gates_moved = False
        slots = self._slots
        opened = await self._store.opened(slots.free, slots.full_hosts(), slots.crowded_hosts(), self._busy)
        self._waited_for = opened.waited_for
        self.enqueue(opened.runs)

    def _but_for_the_kept_places(self, runs: Iterable[Queued]) -> list[Queued]:
        """Those for which there is room; what yields and is left out is found again by the next look."""
        chosen: list[Queued] = []
        by_host = Counter[str]()
        for run in sorted(runs, key=attrgetter("yields")):
            if run.yields and (len(chosen) >= self._slots.spare or by_host[run.host] >= self._slots.spare_at(run.host)):
                continue
            chosen.append(run)
            by_host[run.host] += 1
        return chosen

    async def _look_for_pending(self) -> None:
        began = self._clock.monotonic()
        asked = self._slots.free + len(self._busy)
        found = await self._store.pending(asked, self._slots.full_hosts(), GRACE)
        new = [run for run in found if run.run_id not in self._known]
        self._has_more = bool(new) and len(found) == asked
        ended = self._clock.monotonic()
        self._rested_at = ended + min(REST * (ended - began), LONGEST_REST)
        self.enqueue(new)

    def _come_due(self) -> None:
        """Into the queues with what is due by now."""
        while self._later and self._later[0][0] <= self._time.now():
            run = heapq.heappop(self._later)[-1]
            self._queues.setdefault(run.host, deque()).append(run)

    def _until_next(self) -> float:
        late = self._next_end - self._clock.monotonic()
        due = (self._later[0][0] - self._time.now()).total_seconds() if self._later else LONGEST_WAIT
        return max(min(due, late), 0)

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
            with self._commits.under_way():
                starts = await self._store.start(replica, batch, self._done())
        except BaseException:
            self._give_back(batch)
            self.enqueue(batch)
            raise
        self._started_at = self._clock.monotonic()
        self._runner.launch(replica, starts.begun)
        ours = {run.call.run_id for run in starts.begun}
        self._give_back([run for run in batch if run.run_id not in ours])
        self._known.difference_update(run.run_id for run in batch)
        self._busy.difference_update(run.run_id for run in batch)
        self._busy.update(run.run_id for run in starts.busy)
        self.enqueue(replace(run, due_at=self._time.now() + timedelta(seconds=BUSY_PAUSE)) for run in starts.busy)

    def _give_back(self, batch: list[Queued]) -> None:
        self._known.difference_update(run.run_id for run in batch)
        for run in batch:
            self._slots.release(run.host)
