"""The target of the mess: each path answers 200, fails or hangs, as it is told to just then."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Self

from aiohttp import web


@dataclass(frozen=True, slots=True)
class Call:
    """`job` is the path, `run` the id that the call had as its idempotency key."""

    job: str
    at: datetime
    run: str
    attempt: int


class Target:
    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.url = ""
        self._failing: set[str] = set()
        self._hanging: dict[str, asyncio.Event] = {}
        self._changed = asyncio.Condition()
        application = web.Application()
        application.router.add_route("*", "/{job}", self._answer)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0)

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release(*self._hanging)
        await self._runner.cleanup()

    def fail(self, *jobs: str) -> None:
        """With 503."""
        self._failing.update(jobs)

    def recover(self, *jobs: str) -> None:
        self._failing.difference_update(jobs)

    def hang(self, *jobs: str) -> None:
        self._hanging |= {job: asyncio.Event() for job in jobs}

    def answer(self, *jobs: str) -> None:
        """What hangs is answered, and what comes hangs anew."""
        for job in jobs:
            self._hanging[job].set()
            self._hanging[job] = asyncio.Event()

    def release(self, *jobs: str) -> None:
        """What hangs is answered, and so is what comes."""
        for job in jobs:
            self._hanging.pop(job).set()

    async def wait_for(self, job: str, at: datetime, attempt: int = 1, *, timeout: float = 15) -> Call:
        """The call, as soon as it has come. Raises AssertionError when the time is up."""

        def found() -> list[Call]:
            return [call for call in self.calls if (call.job, call.at, call.attempt) == (job, at, attempt)]

        try:
            async with asyncio.timeout(timeout), self._changed:
                await self._changed.wait_for(found)
        except TimeoutError:
            told = [call for call in self.calls if call.job == job]
            raise AssertionError(f"{job} was not called for {at:%H:%M:%S}, attempt {attempt}; it was: {told}") from None
        return found()[0]

    async def _answer(self, request: web.Request) -> web.Response:
        job, headers = request.match_info["job"], request.headers
        at = datetime.fromisoformat(headers["Cronledger-Scheduled-For"])
        call = Call(job, at, headers["Idempotency-Key"], int(headers["Cronledger-Attempt"]))
        hanging = self._hanging.get(job)
        async with self._changed:
            self.calls.append(call)
            self._changed.notify_all()
        if hanging is not None:
            await hanging.wait()
        return web.Response(status=503 if job in self._failing else 200)
