"""The shape that every background task of a replica has: a step that says for how long there is nothing to do."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from app.domain.clock import Clock
from app.domain.errors import StoreUnavailable

LONGEST_WAIT = 1.0
"""Seconds. A jump of the clock, or a machine that was suspended, is noticed after no more than this."""

BUSY_PAUSE = 0.1
"""Seconds after which something is tried again whose job somebody else had locked: mostly for a few milliseconds."""

_STEP_BOUND = 10.0

_log = structlog.get_logger()


class Looper:
    """Repeats `step`, which answers how many seconds it may wait for the next one; `wake` cuts the wait short.

    A step that fails is tried again: the loop outlives whatever a step meets.
    """

    def __init__(self, name: str, step: Callable[[], Awaitable[float]], clock: Clock) -> None:
        self.name = name
        self._step = step
        self._clock = clock
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._stopping = False
        self.last_step: float | None = None

    def start(self) -> None:
        """Does nothing while it runs, or is about to stop: there are never two steps at once."""
        if self._task is None or self._task.done():
            self._stopping = False
            self._task = asyncio.create_task(self._run(), name=self.name)

    async def stop(self) -> None:
        """A step under way ends first: cut off in its transaction, it would leave a commit that nobody knows of."""
        task = self._task
        if task is None or task.done():
            return
        self._stopping = True
        self.wake()
        await asyncio.wait([task], timeout=_STEP_BOUND)
        task.cancel()
        await asyncio.wait([task])

    def wake(self) -> None:
        self._wake.set()

    async def _run(self) -> None:
        while not self._stopping:
            self._wake.clear()
            pause = await self._guarded()
            self.last_step = self._clock.monotonic()
            if not self._stopping:
                await self._clock.wait(self._wake, pause)

    async def _guarded(self) -> float:
        try:
            return min(await self._step(), LONGEST_WAIT)
        except StoreUnavailable as error:
            _log.warning("store unavailable", loop=self.name, cause=repr(error.__cause__))
        except Exception:  # noqa: BLE001  # whatever it is, the next step may well succeed
            _log.exception("a step failed", loop=self.name)
        # What the step itself woke while it failed must not make it fail again without a pause.
        self._wake.clear()
        return LONGEST_WAIT / 2
