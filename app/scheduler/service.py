"""SchedulerService: the seed's, for any number of replicas. It owns the entry map and every loop around it."""

from __future__ import annotations

from asyncio import Lock, gather
from collections.abc import Iterable
from uuid import UUID

from app.domain.claim import Queued, Recorded
from app.domain.clock import Clock
from app.domain.entries import EntryMap
from app.domain.lifecycle import ENDED
from app.domain.replica import Peer, Role, Vitals
from app.domain.run import State, Trigger
from app.scheduler.audits import Audits
from app.scheduler.burials import Burials
from app.scheduler.cancellations import Cancellations
from app.scheduler.claimer import Claimer
from app.scheduler.commits import Commits
from app.scheduler.dispatcher import Dispatcher
from app.scheduler.doubts import Doubts
from app.scheduler.failing import Failing
from app.scheduler.follower import Follower
from app.scheduler.leases import Lease
from app.scheduler.ledger_clock import LedgerClock
from app.scheduler.looper import Looper
from app.scheduler.observer import NoObserver, Observer
from app.scheduler.options import Options
from app.scheduler.pauses import Pauses
from app.scheduler.ports import Ports
from app.scheduler.recorder import Recorder
from app.scheduler.runner import LEASE_LOST, Runner
from app.scheduler.slots import CallSlots
from app.scheduler.ticker import Ticker
from app.scheduler.turns import Turns
from app.scheduler.upkeep import Upkeep

STALLED_AFTER = 45.0
"""Seconds: longer than a step waits for a database that hangs, since a restart would not mend that."""


class SchedulerService:
    """`start` and `stop` may be called more than once. From `stop_claiming` to the end of `stop` nothing new begins.

    One that only serves the API is told among the replicas, and does nothing else.
    """

    def __init__(self, ports: Ports, options: Options, clock: Clock, observer: Observer | None = None) -> None:
        observer = observer or NoObserver()
        self._clock = clock
        self._observer = observer
        self._announcer = ports.announcer
        self.role = options.role
        self._claiming = True
        self._running = False
        self._stopped_at: float | None = None
        self._turn = Lock()
        self.entries = EntryMap()
        self.time = LedgerClock(clock, ports.jobs)
        self.slots = CallSlots(options.concurrency, options.per_host_concurrency, self._places_freed)
        self.lease = Lease(
            ports.members,
            clock,
            options.hostname,
            options.lease_seconds,
            on_lost=self._lost,
            on_peers=self._met,
            on_moved=ports.announcer.members_changed,
            vitals=self._vitals,
            version=options.version,
            role=options.role,
        )
        self.burials = Burials(ports.members, clock, options.lease_seconds, self.lease.held, self._taken)
        self.turns = Turns(self.entries, ports.jobs, self._replica, options.grace_seconds)
        self.recorder = Recorder(
            ports.records,
            self._replica,
            clock,
            observer,
            busy=self._is_busy,
            on_queued=self._recorded,
            on_failing=self.too_many_failures,
        )
        self.runner = Runner(ports.target, self.recorder, self.slots, self.time, clock, self.lease.covers)
        commits = Commits(self._in_doubt)
        self.dispatcher = Dispatcher(
            ports.starts,
            self._replica,
            self._may_start,
            self.slots,
            self.runner,
            commits,
            self.time,
            clock,
            on_timed_out=self._timed_out,
            done=self.recorder.done,
        )
        self.follower = Follower(
            self.entries,
            ports.jobs,
            ports.feed,
            self.time,
            clock,
            poll_seconds=options.poll_seconds,
            compare_seconds=options.compare_seconds,
            on_change=self._map_changed,
        )
        claimer = Claimer(
            self.entries,
            ports.jobs,
            ports.claims,
            self._replica,
            self.slots,
            self.runner,
            self.dispatcher,
            commits,
            observer,
            self.time,
            self.follower.reread,
            self.recorder.done,
        )
        self.ticker = Ticker(self.entries, claimer, self.turns, self.time, self._may_start, clock)
        self.cancellations = Cancellations(ports.cancels, self._replica, self.runner, clock)
        self.pauses = Pauses(ports.pauses, clock, self.jobs_changed)
        self.failing = Failing(ports.failing, clock, self.jobs_changed, self.runs_queued)
        self.doubts = Doubts(ports.members, self._replica, self.runner, self.recorder, commits, clock)
        self.upkeep = Upkeep(ports.keeper, clock)
        self.audits = Audits(ports.audit, clock)

    @property
    def replica(self) -> UUID:
        return self.lease.replica

    async def start(self) -> None:
        """Appear among the replicas, load the jobs, and begin. Raises StoreUnavailable."""
        async with self._turn:
            if self._running:
                return
            await self.time.look()
            await self.lease.join()
            if self.role is not Role.API:
                await self.follower.load()
                self.follower.start()
            self._running = True
            for loop in self._loops():
                loop.start()

    def stop_claiming(self) -> None:
        """Safe to call from a signal handler of the event loop. The time to drain counts from here."""
        if self._stopped_at is None:
            self._stopped_at = self._clock.monotonic()
        self._claiming = False
        self.slots.closed = True

    async def stop(self, drain_seconds: float) -> None:
        """Let running calls end for so long, hand back what is cut off then, record everything, and be gone."""
        self.stop_claiming()
        async with self._turn:
            if self._running:
                self._running = False
                await self._wind_up(drain_seconds)

    def jobs_changed(self, job_ids: Iterable[int]) -> None:
        """Told by the API of this process, after its commit."""
        ids = list(job_ids)
        self.follower.reread(ids)
        self._announcer.jobs_changed(ids)

    def many_changed(self) -> None:
        """More jobs than are worth naming."""
        self.follower.compare_soon()
        self._announcer.many_changed()

    def members_changed(self) -> None:
        """Another replica may have joined or left: the database knows."""
        self.lease.loop.wake()
        self.burials.loop.wake()

    def runs_queued(self, runs: Iterable[Queued]) -> None:
        """Told by the API of this process, after its commit: pending runs that may start at once."""
        self.dispatcher.enqueue(runs)

    def runs_ended(self, ended: Iterable[tuple[State, Trigger]]) -> None:
        """Told by the API of this process, after its commit: runs that no call ended."""
        self._count(ended)
        self.dispatcher.runs_ended()

    def cancel_asked(self) -> None:
        """Told by the API of this process, after its commit."""
        self.cancellations.look_now()

    def too_many_failures(self) -> None:
        """A job has failed as often in a row as it may."""
        self.failing.look_now()

    @property
    def claiming(self) -> bool:
        return self._claiming and self._running

    def stalled(self) -> list[str]:
        """Loops that have not taken a step for too long; needs no database."""
        now = self._clock.monotonic()
        return [
            loop.name
            for loop in (*self._loops(), self.follower.loop)
            if self._running and loop.last_step is not None and now - loop.last_step > STALLED_AFTER
        ]

    async def _wind_up(self, drain_seconds: float) -> None:
        await gather(self.ticker.loop.stop(), self.ticker.late_loop.stop(), self.dispatcher.loop.stop())
        drained_for = self._clock.monotonic() - (self._stopped_at or 0.0)
        # Those two may be in a step of seconds, which is not to come on top of the drain.
        tidied = gather(self.upkeep.loop.stop(), self.audits.loop.stop())
        await self.runner.drain(drain_seconds - drained_for)
        await tidied
        await gather(self.follower.stop(), *(loop.stop() for loop in self._loops()))
        self._claiming, self._stopped_at, self.slots.closed = True, None, False
        try:
            await self.recorder.flush()
        finally:
            await self.lease.leave()

    def _loops(self) -> list[Looper]:
        if self.role is Role.API:
            return [self.lease.loop, self.burials.loop]
        return [
            self.lease.loop,
            self.burials.loop,
            self.lease.watch,
            self.ticker.loop,
            self.ticker.late_loop,
            self.dispatcher.loop,
            self.recorder.loop,
            self.doubts.loop,
            self.cancellations.loop,
            self.pauses.loop,
            self.failing.loop,
            self.upkeep.loop,
            self.audits.loop,
        ]

    def _replica(self) -> UUID:
        return self.lease.replica

    def _met(self, peers: list[Peer]) -> None:
        self.turns.meet(peers)

    async def _vitals(self) -> Vitals:
        return Vitals(
            preferred=await self.turns.preferred(),
            in_flight=len(self.runner),
            claims=self.turns.won,
            skew=self.time.skew,
        )

    def _may_start(self) -> bool:
        return self._claiming and self.lease.held()

    def _is_busy(self) -> bool:
        """Whether calls are due that can't be made yet."""
        return len(self.dispatcher) > 0 or self.ticker.is_behind()

    def _recorded(self, pending_again: Iterable[Queued]) -> None:
        self.dispatcher.enqueue(pending_again)
        self.dispatcher.runs_ended()

    def _places_freed(self) -> None:
        self.dispatcher.places_freed()

    def _map_changed(self) -> None:
        self.ticker.loop.wake()

    def _lost(self) -> None:
        self.runner.cut(self.runner.in_flight(), LEASE_LOST)

    def _timed_out(self, recorded: Recorded) -> None:
        self._count(recorded.became)
        if recorded.failing:
            self.too_many_failures()

    def _in_doubt(self) -> None:
        self.doubts.look_now()

    def _count(self, became: Iterable[tuple[State, Trigger]]) -> None:
        for state, trigger in became:
            if state in ENDED:
                self._observer.ended(state, trigger)

    def _taken(self, became: list[tuple[State, Trigger]]) -> None:
        self.lease.loop.wake()
        self.runs_ended(became)
        self.too_many_failures()
        self.dispatcher.look_now()
