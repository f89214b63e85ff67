"""Calls under way: one task each."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import datetime
from functools import partial
from uuid import UUID

from app.domain.claim import Finished, Slots, Started
from app.domain.clock import Clock
from app.domain.run import Outcome
from app.scheduler.ledger_clock import LedgerClock
from app.scheduler.ports import Target
from app.scheduler.recorder import Recorder

SHUT_DOWN = "cut off: the replica was shut down"
LEASE_LOST = "cut off: the replica lost its lease"
TAKEN = "cut off: the run went to another replica"


class Runner:
    """Every run handed to `launch` holds a slot, which is free again when its call has ended."""

    def __init__(self, target: Target, recorder: Recorder, slots: Slots, time: LedgerClock, clock: Clock) -> None:
        self._target = target
        self._recorder = recorder
        self._slots = slots
        self._time = time
        self._clock = clock
        self._calls: dict[UUID, tuple[Started, asyncio.Task[Outcome]]] = {}
        self._notes: dict[UUID, str] = {}
        self._idle = asyncio.Event()
        self._idle.set()

    def __len__(self) -> int:
        return len(self._calls)

    def in_flight(self) -> dict[UUID, int]:
        """The fence of each run whose call is under way."""
        return {run_id: started.fence for run_id, (started, _) in self._calls.items()}

    def launch(self, runs: Iterable[Started]) -> None:
        for started in runs:
            task = asyncio.create_task(self._target.call(started.call))
            self._calls[started.call.run_id] = (started, task)
            self._idle.clear()
            task.add_done_callback(partial(self._ended, started, self._time.now()))

    def cut(self, run_ids: Iterable[UUID], note: str) -> None:
        """Break calls off; their runs go back to pending where they are still ours."""
        for run_id in run_ids:
            if run_id in self._calls:
                self._notes[run_id] = note
                self._calls[run_id][1].cancel()

    async def drain(self, seconds: float) -> None:
        """Let calls end by themselves for so long, then cut them off, and wait until all have ended."""
        if not await self._clock.wait(self._idle, seconds):
            self.cut(list(self._calls), SHUT_DOWN)
            await self._idle.wait()

    def _ended(self, started: Started, began: datetime, task: asyncio.Task[Outcome]) -> None:
        """A callback, not the end of a coroutine: a task that is cancelled before its first step runs none of it."""
        run_id = started.call.run_id
        del self._calls[run_id]
        note = self._notes.pop(run_id, SHUT_DOWN)
        self._recorder.put(Finished(started, _outcome(task), began, self._time.now(), note))
        self._slots.release(started.host)
        if not self._calls:
            self._idle.set()


def _outcome(task: asyncio.Task[Outcome]) -> Outcome | None:
    if task.cancelled():
        return None
    failure = task.exception()
    return task.result() if failure is None else Outcome(error=f"internal: {failure!r}")
