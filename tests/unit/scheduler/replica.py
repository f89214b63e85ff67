"""A SchedulerService over a real database, with a clock that the test moves and a target without a network."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

from app.db.partitions import PartitionKeeper
from app.domain.claim import Claims, Finished
from app.domain.clock import FakeClock
from app.domain.job import JobDefinition, PersistedJob
from app.domain.run import State, Trigger
from app.scheduler.options import Options
from app.scheduler.ports import Announcer, ChangeFeed, NoAnnouncer, Ports
from app.scheduler.service import SchedulerService
from app.service.jobs import JobService
from app.service.runs import RunService
from app.target.address import Targets
from app.target.reach import Reach
from tests.db.building import Ledger
from tests.unit.scheduler.building import pass_time
from tests.unit.scheduler.fake_target import FakeTarget

LOOPS = 14


class ServerClock:
    """The database's: it goes on with the monotonic clock, whatever the machine's wall clock says; `step` sets it."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self._start = clock.now()

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._clock.monotonic())

    def step(self, by: timedelta) -> None:
        self._start += by

    def monotonic(self) -> float:
        return self._clock.monotonic()

    async def wait(self, event: asyncio.Event, seconds: float) -> bool:
        return await self._clock.wait(event, seconds)


class Counted:
    """An observer that keeps what it is told."""

    def __init__(self) -> None:
        self.kept: list[Finished] = []
        self.dropped: list[Finished] = []
        self.uncalled: list[tuple[State, Trigger]] = []

    def claimed(self, claims: Claims) -> None: ...

    def recorded(self, run: Finished, became: State) -> None:  # noqa: ARG002  # the ledger has it
        self.kept.append(run)

    def discarded(self, run: Finished) -> None:
        self.dropped.append(run)

    def ended(self, state: State, trigger: Trigger) -> None:
        self.uncalled.append((state, trigger))


class Replica:
    """`jobs` and `runs` are the use cases as this replica's API would call them."""

    def __init__(
        self,
        url: str,
        clock: FakeClock,
        server: ServerClock,
        target: FakeTarget | None = None,
        *,
        feed: ChangeFeed | None = None,
        announcer: Announcer | None = None,
        **options: Any,
    ) -> None:
        self.clock, self.server = clock, server
        self.ledger = Ledger(url, server)
        self.target = target or FakeTarget()
        self.results = Counted()
        ports = Ports(
            jobs=self.ledger.rows,
            claims=self.ledger.claims,
            starts=self.ledger.starts,
            records=self.ledger.records,
            cancels=self.ledger.cancels,
            pauses=self.ledger.pauses,
            failing=self.ledger.failing,
            members=self.ledger.replicas,
            keeper=PartitionKeeper(self.ledger.database),
            audit=self.ledger.auditor,
            target=self.target,
            feed=feed,
            announcer=announcer or NoAnnouncer(),
        )
        self.service = SchedulerService(ports, Options(**options), clock, self.results)
        self._seen = asyncio.Event()
        self.service.follower._on_change = self._map_changed
        self.jobs = JobService(self.ledger.database, self.service, Reach(Targets.ANY))
        self.runs = RunService(self.ledger.database, self.service)

    async def start(self) -> None:
        asleep = self.clock._asleep()
        await self.service.start()
        await self.clock.block_until(asleep + LOOPS)

    async def create(self, name: str = "job", schedule: str = "* * * * *", **more: Any) -> PersistedJob:
        values = {"endpoint": "http://one.example/hook"} | more
        return await self.jobs.create(JobDefinition(name=name, schedule=schedule, **values))

    async def pass_time(self, seconds: float, step: float = 0.5) -> None:
        """For a replica that is alone with its clock; calls that answer at once have ended too.

        Results are recorded a little after their calls. In steps of whole seconds, in which jobs are due, each would be
        recorded at the moment of the next claim, which may find its job locked.
        """
        await pass_time(self.clock, seconds, LOOPS, step)

    async def sees(self, versions: dict[int, int]) -> None:
        """Wait, in no time of the clock's, until the entry map holds these jobs in these versions."""
        async with asyncio.timeout(10):
            while self.service.entries.versions() != versions:
                self._seen.clear()
                await self._seen.wait()

    def _map_changed(self) -> None:
        self.service._map_changed()
        self._seen.set()

    async def recorded(self, results: int) -> None:
        """Let time pass until so many results are in the ledger, or were discarded."""
        for _ in range(100):
            if len(self.results.kept) + len(self.results.dropped) >= results:
                return
            await self.pass_time(0.1, step=0.1)
        raise AssertionError(f"{len(self.results.kept)} were recorded and {len(self.results.dropped)} discarded")

    async def kill(self) -> None:
        """As by kill -9: nothing is told to the database, and nothing goes on."""
        loops = [*self.service._loops(), self.service.follower.loop]
        tasks = [loop._task for loop in loops if loop._task] + list(self.service.runner._calls.values())
        if self.service.follower._listener:
            tasks.append(self.service.follower._listener)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        await self.ledger.close()

    async def close(self) -> None:
        self.target.release()
        await self.service.stop(0)
        await self.ledger.close()


@asynccontextmanager
async def running(url: str, clock: FakeClock, server: ServerClock, **more: Any) -> AsyncIterator[Replica]:
    replica = Replica(url, clock, server, **more)
    await replica.start()
    try:
        yield replica
    finally:
        await replica.close()
