"""A target without a network, which answers when the test says so."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from uuid import UUID

from app.domain.run import Call, Outcome

OK = Outcome(error=None, status_code=200)


class FakeTarget:
    """Answers at once, or, while `holding`, when it is told to."""

    def __init__(self, *, holding: bool = False) -> None:
        self.holding = holding
        self.calls: list[Call] = []
        self.cut: list[Call] = []
        self.answer: Callable[[Call], Outcome] = lambda _: OK
        self._open: dict[UUID, asyncio.Event] = {}
        self._changed = asyncio.Condition()

    async def call(self, call: Call) -> Outcome:
        if self.holding:
            self._open[call.run_id] = asyncio.Event()
        async with self._changed:
            self.calls.append(call)
            self._changed.notify_all()
        try:
            if event := self._open.get(call.run_id):
                await event.wait()
        except asyncio.CancelledError:
            self.cut.append(call)
            raise
        finally:
            self._open.pop(call.run_id, None)
        return self.answer(call)

    def release(self, *run_ids: UUID) -> None:
        """Answer these, or all."""
        for run_id in run_ids or list(self._open):
            self._open[run_id].set()

    async def wait_for(self, count: int) -> list[Call]:
        """All calls, as soon as there are so many."""
        try:
            async with asyncio.timeout(10), self._changed:
                await self._changed.wait_for(lambda: len(self.calls) >= count)
        except TimeoutError:
            raise AssertionError(f"{len(self.calls)} calls of {count} came: {self.calls}") from None
        return self.calls
