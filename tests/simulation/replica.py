"""A replica as its memory and its steps: what `app.scheduler` does in loops, one transaction at a time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, TypeVar
from uuid import UUID

from app.domain.claim import Claims, Finished, Held, Queued, Recorded, Started, Starts
from app.domain.entries import Due, EntryMap
from app.scheduler.cancellations import CANCELED
from app.scheduler.dispatcher import GRACE
from app.scheduler.follower import OVERLAP
from app.scheduler.runner import LEASE_LOST, SHUT_DOWN, TAKEN
from app.scheduler.slots import CallSlots
from app.scheduler.ticker import _planned
from tests.simulation.calls import SimCall, called
from tests.simulation.fates import Fate

if TYPE_CHECKING:
    from tests.simulation.world import World

T = TypeVar("T")

LEASE = timedelta(seconds=900)
PLACES, PLACES_PER_HOST = 12, 5


@dataclass
class Memory:
    """All that is gone when the process dies. `unlearned` are commits whose answers are still on their way, by loop."""

    entries: EntryMap = field(default_factory=EntryMap)
    slots: CallSlots = field(default_factory=lambda: CallSlots(PLACES, PLACES_PER_HOST, lambda: None))
    calls: dict[Held, SimCall] = field(default_factory=dict)
    results: list[Finished] = field(default_factory=list)
    queue: dict[UUID, Queued] = field(default_factory=dict)
    told: set[int] = field(default_factory=set)
    unlearned: dict[str, Callable[[], None]] = field(default_factory=dict)
    looked: dict[str, float] = field(default_factory=dict)
    polled_to: datetime | None = None
    in_doubt: bool = False
    draining: bool = False


class SimReplica:
    """Dead while it has no `id`; then it joins under a new one."""

    def __init__(self, world: World, number: int) -> None:
        self._world = world
        self.name = f"replica {number}"
        self.id: UUID | None = None
        self.memory = Memory()
        self.skew = timedelta(0)
        self.frozen_until = self._until = float("-inf")

    @property
    def me(self) -> UUID:
        assert self.id is not None, f"{self.name} is dead"
        return self.id

    def now(self) -> datetime:
        """What it takes for the database's time."""
        return self._world.clock.now() + self.skew

    @property
    def frozen(self) -> bool:
        return self._world.clock.monotonic() < self.frozen_until

    @property
    def may_start(self) -> bool:
        left = self._until - self._world.clock.monotonic()
        return self.id is not None and not self.memory.draining and left > LEASE.total_seconds() / 10

    @property
    def lease_has_ended(self) -> bool:
        return self._world.clock.monotonic() >= self._until

    @property
    def ready_to_start(self) -> list[Queued]:
        now, slots = self.now(), self.memory.slots
        due = (run for run in self.memory.queue.values() if run.due_at is None or run.due_at <= now)
        return [run for run in due if not slots.is_full(run.host)] if slots.free else []

    def ended_calls(self) -> list[SimCall]:
        return [call for call in self.memory.calls.values() if call.ends <= self._world.clock.monotonic()]

    async def join(self) -> None:
        self.memory, self.id = Memory(), self._world.new_id()
        asked = self._world.clock.monotonic()
        await self._world.ledger.replicas.join(self.me, self.name)
        self._until = asked + LEASE.total_seconds()

    def crash(self) -> None:
        self.memory, self.id, self.skew = Memory(), None, timedelta(0)

    async def load(self) -> None:
        self.memory.polled_to = await self._world.ledger.rows.time()
        for job in await self._world.ledger.rows.enabled_page(0, 1000):
            self.memory.entries.put(job)

    async def reread(self) -> None:
        told, self.memory.told = self.memory.told, set()
        await self._read(told)

    async def poll(self) -> None:
        assert self.memory.polled_to is not None, "it loads first"
        rows = self._world.ledger.rows
        now = await rows.time()
        await self._read(await rows.changed_since(self.memory.polled_to - OVERLAP))
        self.memory.polled_to = now

    async def compare(self) -> None:
        stored = dict(await self._world.ledger.rows.versions_page(0, 1000))
        remembered = self.memory.entries.versions()
        differing = {job_id for job_id, version in stored.items() if remembered.get(job_id) != version}
        await self._read(differing | (remembered.keys() - stored.keys()))

    async def tick(self) -> None:
        due = self.memory.entries.due(self.now(), self._world.rng.choice([1, 3, 250]))
        good, candidates, poisoned = _planned(due, self.now())
        assert not poisoned, f"jobs that can't be planned: {poisoned}"
        claim = partial(self._world.ledger.claims.claim, self.me, candidates, self.memory.slots, self._done())
        await self._commit("ticker", claim, partial(self._claimed, self.me, good), partial(self._unclaimed, good))

    async def start(self) -> None:
        batch = [run for run in self.ready_to_start if self.memory.slots.admit(run.host)]
        start = partial(self._world.ledger.starts.start, self.me, batch, self._done())
        await self._commit("dispatcher", start, partial(self._started, self.me, batch), lambda _: self._release(batch))

    async def look_for_pending(self) -> None:
        slots = self.memory.slots
        self._enqueue(await self._world.ledger.starts.pending(slots.free, slots.full_hosts(), GRACE))

    async def look_at_gates(self) -> None:
        slots = self.memory.slots
        self._enqueue((await self._world.ledger.starts.opened(slots.free, slots.full_hosts())).runs)

    async def expire(self) -> None:
        await self._world.ledger.starts.expire()

    async def time_out(self) -> None:
        self._enqueue((await self._world.ledger.starts.time_out()).queued)

    async def finish(self) -> None:
        """A call has come to its end."""
        call = self._world.rng.choice(self.ended_calls())
        self._finish(call, called(call))

    async def record(self) -> None:
        self._world.sent = batch = self.memory.results[: self._world.rng.choice([1, 3, 100])]
        record = partial(self._world.ledger.records.record, self.me, batch)
        await self._commit("recorder", record, partial(self._recorded, batch), lambda _: None)

    async def beat(self) -> None:
        asked = self._world.clock.monotonic()
        if await self._world.ledger.replicas.beat(self.me):
            self._until = asked + LEASE.total_seconds()
            return
        self.cut(LEASE_LOST)
        self.id = self._world.new_id()
        await self._world.ledger.replicas.join(self.me, self.name)
        self._until = asked + LEASE.total_seconds()

    async def bury(self) -> None:
        await self._world.ledger.replicas.bury(LEASE)

    async def settle_doubts(self) -> None:
        self.memory.in_doubt = False
        owned = set((await self._world.ledger.replicas.owned(self.me)).items())
        self.cut(TAKEN, self.memory.calls.keys() - owned)
        known = self.memory.calls.keys() | {result.started.held for result in self.memory.results}
        if absent := owned - known:
            await self._world.ledger.replicas.hand_back(self.me, dict(absent))

    async def cut_canceled(self) -> None:
        self.cut(CANCELED, await self._world.ledger.cancels.asked(self.me))

    async def watch_lease(self) -> None:
        self.cut(LEASE_LOST)

    async def end_pauses(self) -> None:
        self.memory.told |= set(await self._world.ledger.pauses.end_due())

    async def pause_failing(self) -> None:
        paused = await self._world.ledger.failing.pause_failing()
        self.memory.told |= set(paused.jobs)
        self._enqueue(paused.queued)

    async def drain(self) -> None:
        """Shut down in an orderly way, no call being given the time to end."""
        self.memory.draining = True
        self.cut(SHUT_DOWN)

    async def leave(self) -> None:
        await self._world.ledger.replicas.leave(self.me)
        self.crash()

    async def learn(self) -> None:
        """An answer that was long on its way has come."""
        _, learn = self.memory.unlearned.popitem()
        learn()

    def tell(self, jobs: Iterable[int], runs: Iterable[Queued]) -> None:
        self.memory.told |= set(jobs)
        self._enqueue(runs)

    def cut(self, note: str, starts: Iterable[Held] | None = None) -> None:
        for held in list(self.memory.calls if starts is None else starts):
            if held in self.memory.calls:
                self._finish(self.memory.calls[held], None, note)

    async def _commit(
        self,
        loop: str,
        work: Callable[[], Awaitable[T]],
        learn: Callable[[T], None],
        unheard: Callable[[T | None], None],
    ) -> None:
        """`learn` is told what came of it; `unheard` takes the other way, where an error is all that came back."""
        fate = self._world.fate()
        done = None if fate is Fate.UNSENT else await work()
        if fate is Fate.CRASH:
            self.crash()
        elif done is None or fate is Fate.UNHEARD:
            self.memory.in_doubt = True
            unheard(done)
        elif fate in {Fate.LATE, Fate.FREEZE}:
            self.memory.unlearned[loop] = partial(learn, done)
        else:
            learn(done)
        if fate is Fate.FREEZE:
            self.frozen_until = self._world.clock.monotonic() + self._world.rng.uniform(0, 2 * LEASE.total_seconds())

    def _done(self) -> set[Held]:
        """What is over for good, and not recorded yet."""
        outcomes = ((each.started.held, each.outcome) for each in self.memory.results)
        return {held for held, outcome in outcomes if outcome is not None and outcome.succeeded}

    def _claimed(self, replica: UUID, due: Sequence[Due], claims: Claims) -> None:
        """Believe what the ledger says, as `app.scheduler.claimer` does."""
        entries = {(each.entry.job.id, each.entry.job.version): each.entry for each in due}
        follow = [(won, won.plan.next) for won in claims.won] + [*claims.moved]
        follow += [(early, early.plan.first) for early in claims.early] + [(stale, None) for stale in claims.stale]
        follow += [(busy, busy.plan.first) for busy in claims.busy]
        for candidate, waits_for in follow:
            self.memory.entries.advance(entries[candidate.job.id, candidate.job.version], waits_for)
        self.memory.told |= {stale.job.id for stale in claims.stale}
        self._launch(replica, claims.started)
        self._enqueue(claims.queued)

    def _unclaimed(self, due: Sequence[Due], claims: Claims | None) -> None:
        for each in due:
            self.memory.entries.advance(each.entry, each.at)
        for run in claims.started if claims else ():
            self.memory.slots.release(run.host)

    def _started(self, replica: UUID, batch: Sequence[Queued], starts: Starts) -> None:
        self._launch(replica, starts.begun)
        ours = {run.call.run_id for run in starts.begun}
        self._release([run for run in batch if run.run_id not in ours])
        for run in batch:
            if run not in starts.busy:
                self.memory.queue.pop(run.run_id, None)

    def _recorded(self, batch: Sequence[Finished], recorded: Recorded) -> None:
        told = {each.started.held for each in batch} - {each.started.held for each in recorded.busy}
        self.memory.results = [each for each in self.memory.results if each.started.held not in told]
        self._enqueue(recorded.queued)

    def _launch(self, replica: UUID, runs: Iterable[Started]) -> None:
        for started in runs:
            if replica == self.id and not self.lease_has_ended:
                self.memory.calls[started.held] = self._world.begin_call(self, started)
            else:
                self.memory.slots.release(started.host)

    def _finish(self, call: SimCall, finished: Finished | None, note: str = "") -> None:
        del self.memory.calls[call.started.held]
        self.memory.slots.release(call.started.host)
        took = timedelta(seconds=self._world.clock.monotonic() - call.since)
        self.memory.results.append(finished or Finished(call.started, None, call.began, call.began + took, note))
        self._world.rules.over |= self._done()

    def _enqueue(self, runs: Iterable[Queued]) -> None:
        for run in runs:
            self.memory.queue.setdefault(run.run_id, run)

    def _release(self, batch: Iterable[Queued]) -> None:
        for run in batch:
            self.memory.slots.release(run.host)

    async def _read(self, job_ids: Iterable[int]) -> None:
        ids = sorted(job_ids)
        if ids:
            self.memory.entries.reconcile(ids, await self._world.ledger.rows.enabled_among(ids))
