"""RedisCoordinator: wake-up and awareness between replicas. It decides nothing: without Redis all goes on, by poll."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import suppress
from uuid import UUID

import structlog

from app.coordination.connection import RETRY, AwayError, RedisConnection
from app.coordination.markers import Markers
from app.coordination.names import Names
from app.coordination.pending import Pending, changes_in
from app.domain.claim import Claims, Finished, Started
from app.domain.clock import Clock
from app.domain.run import State, Trigger

EVERY = 1.0
"""Seconds from one look at what runs to the next."""

_CANCEL_EVERY = 0.1

_log = structlog.get_logger()


class RedisCoordinator:
    """See `scheduler.ports.Announcer`, `ChangeFeed` and `scheduler.observer.Observer`.

    What it is told is kept in memory and written by a task of its own, in one go; no caller waits for Redis.
    """

    def __init__(self, url: str, prefix: str, clock: Clock) -> None:
        self._names = Names(prefix)
        self._clock = clock
        self._connection = RedisConnection(url)
        self._pending = Pending()
        self._markers = Markers(self._names)
        self._next_look = 0.0
        self._wake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def up(self) -> bool:
        return self._connection.up

    def start(
        self, replica: Callable[[], UUID], running: Callable[[], Iterable[Started]], on_members: Callable[[], None]
    ) -> None:
        """`on_members` is called when a replica may have joined or left."""
        self._tasks = [
            asyncio.create_task(self._write(replica, running), name="redis writer"),
            asyncio.create_task(self._hear_of_members(on_members), name="redis members"),
        ]

    async def close(self) -> None:
        """Tell what is left, if Redis is there, and be gone."""
        await self._end_tasks()
        with suppress(AwayError):
            await self._connection.send([*self._pending.commands(self._names), *self._markers.farewell()])
        await self._connection.close()

    async def _end_tasks(self) -> None:
        """Cancelled until they end: where an answer comes with it, wait_for of Python 3.11 loses the cancellation."""
        left = set(self._tasks)
        while left:
            for task in left:
                task.cancel()
            _, left = await asyncio.wait(left, timeout=_CANCEL_EVERY)

    def jobs_changed(self, job_ids: Iterable[int]) -> None:
        self._pending.add(Pending(changed=set(job_ids)))
        self._wake.set()

    def many_changed(self) -> None:
        self._pending.add(Pending(many=True))
        self._wake.set()

    def members_changed(self) -> None:
        self._pending.add(Pending(members=True))
        self._wake.set()

    async def listen(self) -> AsyncIterator[int | None]:
        async for message in self._connection.subscribe(self._names.changes):
            for change in changes_in(message):
                yield change

    def recorded(self, run: Finished, became: State) -> None:  # noqa: ARG002  # it ran, whatever came of it
        self._pending.ran(run.started.call.job_key, run.began_at)

    def claimed(self, claims: Claims) -> None: ...

    def discarded(self, run: Finished) -> None: ...

    def ended(self, state: State, trigger: Trigger) -> None: ...

    async def _write(self, replica: Callable[[], UUID], running: Callable[[], Iterable[Started]]) -> None:
        while True:
            self._wake.clear()
            try:
                await self._flush(replica, running)
            except AwayError:
                await self._clock.wait(asyncio.Event(), RETRY)
            except Exception:  # noqa: BLE001  # whatever it is, the next look may well succeed
                _log.exception("redis was not told")
                await self._clock.wait(asyncio.Event(), RETRY)
            await self._clock.wait(self._wake, self._next_look - self._clock.monotonic())

    async def _flush(self, replica: Callable[[], UUID], running: Callable[[], Iterable[Started]]) -> None:
        """Changes go at once, the rest at each look. What was not told is told the next time."""
        told = self._take(everything=(look := self._clock.monotonic() >= self._next_look))
        commands = told.commands(self._names)
        if look:
            self._next_look = self._clock.monotonic() + EVERY
            commands += self._markers.commands(replica(), running())
        try:
            if commands:
                await self._connection.send(commands)
        except BaseException:
            told.add(self._pending)
            self._pending = told
            raise

    def _take(self, *, everything: bool) -> Pending:
        pending, self._pending = self._pending, Pending()
        if not everything:
            self._pending.last_runs, pending.last_runs = pending.last_runs, {}
        return pending

    async def _hear_of_members(self, on_members: Callable[[], None]) -> None:
        async for _ in self._connection.subscribe(self._names.members):
            on_members()
