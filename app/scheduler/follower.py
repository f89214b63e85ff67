"""Keeping the entry map close to the rows: told changes at once, untold ones by a poll, the rest by comparison."""

from __future__ import annotations

from asyncio import Event, Task, create_task, wait
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

import structlog

from app.domain.clock import Clock
from app.domain.entries import EntryMap
from app.scheduler.ledger_clock import LedgerClock
from app.scheduler.looper import LONGEST_WAIT, Looper
from app.scheduler.ports import ChangeFeed, JobSource

PAGE = 1000
COMPARE_PAGE = 10_000
OVERLAP = timedelta(seconds=60)
"""A transaction that takes no longer from its stamp to its commit is seen by the poll, any other by comparison."""

_CANCEL_EVERY = 0.1

_log = structlog.get_logger()


class Follower:
    """Reads rows and gives them to the map. It asks for rows, never for events: a change told twice does no harm."""

    def __init__(
        self,
        entries: EntryMap,
        jobs: JobSource,
        feed: ChangeFeed | None,
        time: LedgerClock,
        clock: Clock,
        *,
        poll_seconds: float,
        compare_seconds: float,
        on_change: Callable[[], None],
    ) -> None:
        self._entries = entries
        self._jobs = jobs
        self._feed = feed
        self._time = time
        self._clock = clock
        self._poll_seconds = poll_seconds
        self._compare_seconds = compare_seconds
        self._on_change = on_change
        self._changed: set[int] = set()
        self._polled_to: datetime | None = None
        self._next_poll = 0.0
        self._next_compare = 0.0
        self._listener: Task[None] | None = None
        self.loaded = False
        self.loop = Looper("follower", self._step, clock)

    def start(self) -> None:
        self.loop.start()
        if self._feed is not None and self._listener is None:
            self._listener = create_task(self._listen(self._feed), name="listener")

    async def stop(self) -> None:
        await self.loop.stop()
        listener, self._listener = self._listener, None
        # Where something is heard at the same moment, wait_for of Python 3.11 loses the cancellation.
        while listener is not None and not listener.done():
            listener.cancel()
            await wait([listener], timeout=_CANCEL_EVERY)

    def reread(self, job_ids: Iterable[int]) -> None:
        """These jobs may have changed."""
        self._changed.update(job_ids)
        self.loop.wake()

    def compare_soon(self) -> None:
        """Changes may have been missed."""
        self._next_compare = 0.0
        self.loop.wake()

    async def load(self) -> None:
        """The seed's LoadJobsFromDB: every job that waits for an occurrence, a page at a time."""
        self._polled_to = await self._jobs.time()
        after = 0
        while page := await self._jobs.enabled_page(after, PAGE):
            for job in page:
                self._entries.put(job)
            after = page[-1].id
        self.loaded = True
        self._on_change()

    async def compare(self) -> None:
        """The whole map against the whole table, by id and version."""
        stored: dict[int, int] = {}
        after = 0
        while page := await self._jobs.versions_page(after, COMPARE_PAGE):
            stored.update(page)
            after = page[-1][0]
        remembered = self._entries.versions()
        differing = {job_id for job_id, version in stored.items() if remembered.get(job_id) != version}
        await self._read(differing | (remembered.keys() - stored.keys()))

    async def _step(self) -> float:
        if not self.loaded:
            await self.load()
        changed, self._changed = self._changed, set()
        try:
            await self._read(changed)
        except BaseException:
            self._changed |= changed
            raise
        await self._poll()
        await self._compare_sometimes()
        return LONGEST_WAIT

    async def _poll(self) -> None:
        if self._clock.monotonic() < self._next_poll or self._polled_to is None:
            return
        now = await self._jobs.time()
        await self._read(await self._jobs.changed_since(self._polled_to - OVERLAP))
        self._polled_to = now
        self._next_poll = self._clock.monotonic() + self._poll_seconds

    async def _compare_sometimes(self) -> None:
        """The next moment is set first: `compare_soon` may be called while this compares."""
        if self._clock.monotonic() < self._next_compare:
            return
        self._next_compare = self._clock.monotonic() + self._compare_seconds
        try:
            await self.compare()
        except BaseException:
            self.compare_soon()
            raise

    async def _read(self, job_ids: Iterable[int]) -> None:
        ids = sorted(job_ids)
        for start in range(0, len(ids), PAGE):
            page = ids[start : start + PAGE]
            self._entries.reconcile(page, await self._jobs.enabled_among(page))
        if ids:
            self._on_change()

    async def _listen(self, feed: ChangeFeed) -> None:
        """Over and over: a feed that fails must not leave this replica deaf until it is restarted."""
        while True:
            try:
                async for job_id in feed.listen():
                    self._told(job_id)
            except Exception:  # noqa: BLE001  # whatever it is, the next connection may well hold
                _log.exception("the feed of changes failed")
            await self._clock.wait(Event(), LONGEST_WAIT)

    def _told(self, job_id: int | None) -> None:
        if job_id is None:
            self.compare_soon()
        else:
            self.reread([job_id])
