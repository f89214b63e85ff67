"""Calls under way: one task each."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from app.domain.claim import Finished, Held, Slots, Started
from app.domain.clock import Clock
from app.domain.run import Call, Outcome
from app.scheduler.ledger_clock import LedgerClock
from app.scheduler.ports import Target
from app.scheduler.recorder import Recorder

SHUT_DOWN = "cut off: the replica was shut down"
LEASE_LOST = "cut off: the replica lost its lease"
TAKEN = "cut off: the run went to another replica"


class Runner:
    """Every run handed to `launch` holds a slot, which is free again when its call has ended.

    `covered` says whether a replica's id still entitles this process to call what was started under it.
    """

    def __init__(
        self,
        target: Target,
        recorder: Recorder,
        slots: Slots,
        time: LedgerClock,
        clock: Clock,
        covered: Callable[[UUID], bool],
    ) -> None:
        self._target = target
        self._recorder = recorder
        self._slots = slots
        self._time = time
        self._clock = clock
        self._covered = covered
        self._calls: dict[Held, asyncio.Task[Outcome]] = {}
        self._started: dict[Held, Started] = {}
        self._notes: dict[Held, str] = {}
        self._idle = asyncio.Event()
        self._idle.set()

    def __len__(self) -> int:
        return len(self._calls)

    def in_flight(self) -> set[Held]:
        """The starts whose calls are under way; a run may be among them twice, while a call that was cut ends."""
        return set(self._calls)

    def running(self) -> list[Started]:
        """The same, each with its call."""
        return list(self._started.values())

    def launch(self, replica: UUID, runs: Iterable[Started]) -> None:
        """Where the lease ended before the start was known, the runs are left to those who take them over."""
        for started in runs:
            if self._covered(replica):
                self._call(started)
            else:
                self._slots.release(started.host)

    def cut(self, starts: Iterable[Held], note: str) -> None:
        """Break calls off; their runs go back to pending where they are still ours."""
        for held in starts:
            if held in self._calls:
                self._notes[held] = note
                self._calls[held].cancel()

    async def drain(self, seconds: float) -> None:
        """Let calls end by themselves for so long, then cut them off, and wait until all have ended."""
        if not await self._clock.wait(self._idle, seconds):
            self.cut(self.in_flight(), SHUT_DOWN)
            await self._idle.wait()

    def _call(self, started: Started) -> None:
        began, since = self._time.now(), self._clock.monotonic()
        task = asyncio.create_task(self._target.call(_in_time(started, began)))
        self._calls[started.held] = task
        self._started[started.held] = started
        self._idle.clear()
        task.add_done_callback(partial(self._ended, started, began, since))

    def _ended(self, started: Started, began: datetime, since: float, task: asyncio.Task[Outcome]) -> None:
        """A callback, not the end of a coroutine: a task that is cancelled before its first step runs none of it."""
        del self._calls[started.held], self._started[started.held]
        note = self._notes.pop(started.held, SHUT_DOWN)
        took = timedelta(seconds=self._clock.monotonic() - since)
        self._recorder.put(Finished(started, _outcome(task), began, began + took, note))
        self._slots.release(started.host)
        if not self._calls:
            self._idle.set()


def _in_time(started: Started, now: datetime) -> Call:
    """The call, which is to end by the run's deadline."""
    if started.deadline_at is None:
        return started.call
    left = max((started.deadline_at - now).total_seconds(), 0)
    return replace(started.call, timeout_seconds=min(started.call.timeout_seconds, left))


def _outcome(task: asyncio.Task[Outcome]) -> Outcome | None:
    if task.cancelled():
        return None
    failure = task.exception()
    return task.result() if failure is None else Outcome(error=f"internal: {failure!r}")
