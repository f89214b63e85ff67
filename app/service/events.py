"""Streams of events: each starts where it was asked to, on whichever replica, and reads in order of the ids."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from app.db.engine import Database
from app.db.events import EventLog
from app.db.horizon import Horizon
from app.domain.clock import Clock, SystemClock
from app.domain.errors import StoreUnavailable, TooManyStreams
from app.domain.event import Event, EventFilter, Reset

T = TypeVar("T")

LOOK_EVERY = 0.25
"""Seconds."""

IDLE_SECONDS = 15.0
"""A stream on which nothing happens says so this often, for those between."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Events in order, and the id from which to go on after them; None where that is not known yet."""

    position: int | None
    events: list[Event] = field(default_factory=list)
    reset: Reset | None = None


class EventService:
    """The streams of this process. While there are none it asks the database nothing."""

    def __init__(self, database: Database, most: int = 100, clock: Clock | None = None) -> None:
        self._log = EventLog(database)
        self._most = most
        self._clock = clock or SystemClock()
        self._horizon = Horizon()
        self._looked_at: float | None = None
        self._turn = asyncio.Lock()
        self._reads = asyncio.Lock()  # one at a time: the connections are there for the scheduler first
        self._closing = asyncio.Event()
        self.streams = 0

    @asynccontextmanager
    async def open(self, after: int | None, filters: EventFilter) -> AsyncIterator[AsyncIterator[Batch]]:
        """Events after this id; without one, all that is committed once the first position is told.

        Raises TooManyStreams, StoreUnavailable. A stream that has begun waits for a database that is away.
        """
        if self.streams >= self._most:
            raise TooManyStreams(
                f"This replica has {self._most} streams of events open already.",
                remedy="Try again in a moment, or raise CRONLEDGER_EVENT_STREAMS.",
            )
        if not self.streams:  # What was known when somebody last listened is long past.
            self._horizon, self._looked_at = Horizon(), None
        self.streams += 1
        try:
            yield self._batches(await self._begin(after), filters)
        finally:
            self.streams -= 1

    def close(self) -> None:
        """End all streams; their clients go on elsewhere. Safe to call from a signal handler of the event loop."""
        self._closing.set()

    async def _begin(self, after: int | None) -> Batch:
        if after is None:
            return Batch(position=await self._look())
        async with self._reads:
            position, reset = await _whole(self._log.beginning(after))
        return Batch(position=position, reset=reset)

    async def _batches(self, begun: Batch, filters: EventFilter) -> AsyncIterator[Batch]:
        yield begun
        position, told_at = begun.position, self._clock.monotonic()
        while not self._closing.is_set():
            batch, more = await self._next(position, filters)
            idle = self._clock.monotonic() - told_at >= IDLE_SECONDS
            if batch.events or position is None is not batch.position or idle:
                yield batch
                told_at = self._clock.monotonic()
            position = batch.position
            if not more:
                await self._clock.wait(self._closing, LOOK_EVERY)

    async def _next(self, position: int | None, filters: EventFilter) -> tuple[Batch, bool]:
        """What comes after the position, and whether there is more at once."""
        try:
            horizon = await self._look()
            if horizon is None or position is None or position >= horizon:
                return Batch(position=horizon if position is None else position), False
            async with self._reads:
                found, until = await _whole(self._log.page(position, horizon, filters))
        except StoreUnavailable:
            return Batch(position=position), False
        return Batch(position=until, events=found), until < horizon

    async def _look(self) -> int | None:
        """The horizon; one stream moves it for all, and waits for all where the database hangs."""
        async with self._turn:
            if self._looked_at is None or self._clock.monotonic() - self._looked_at >= LOOK_EVERY:
                try:
                    await _whole(self._log.move(self._horizon))
                finally:
                    self._looked_at = self._clock.monotonic()
            return self._horizon.value


async def _whole(reading: Coroutine[Any, Any, T]) -> T:
    """To its end, though the client may leave meanwhile: cut off, a read would leave its connection in use."""
    task, cut = asyncio.create_task(reading), False
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            cut = True
    if cut:
        task.exception()
        raise asyncio.CancelledError
    return task.result()
