"""A real HTTP target on loopback, in the test's own loop: it records each call and answers as the path says."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from aiohttp import web
from multidict import CIMultiDictProxy


@dataclass(frozen=True, slots=True)
class Call:
    """`at` and `monotonic` tell when the head of the request had been read."""

    method: str
    path: str
    headers: CIMultiDictProxy[str]
    body: bytes
    at: datetime
    monotonic: float


class Sink:
    """`/status/{n}` answers n, `/delay/{ms}` late, `/hang` not before `release()`, any other path 200.

    `most_at_once` counts the calls that were delayed or hung at the same time.
    """

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.most_at_once = 0
        self._held = 0
        self._holding = False
        self.url = ""
        self._changed = asyncio.Condition()
        self._released = asyncio.Event()
        application = web.Application()
        application.router.add_route("*", "/status/{status}", self._status)
        application.router.add_route("*", "/delay/{milliseconds}", self._delay)
        application.router.add_route("*", "/hang", self._hang)
        application.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0)

    async def start(self) -> None:
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0, backlog=1024)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        self.release()
        await self._runner.cleanup()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop()

    def hold(self) -> None:
        """Let what would be delayed hang from now on, until `release()`."""
        self._holding = True

    def release(self) -> None:
        """Answer what hangs or is delayed, now and from now on."""
        self._released.set()

    async def wait_for(self, count: int, *, path: str | None = None, timeout: float = 10) -> list[Call]:
        """The calls (to the path) as soon as there are so many. Raises AssertionError when the time is up."""

        def got() -> list[Call]:
            return [call for call in self.calls if path is None or call.path == path]

        try:
            async with asyncio.timeout(timeout), self._changed:
                await self._changed.wait_for(lambda: len(got()) >= count)
        except TimeoutError:
            raise AssertionError(f"{len(got())} calls of {count} came within {timeout:g} s: {got()}") from None
        return got()

    async def _answer(self, request: web.Request, status: int = 200) -> web.Response:
        await self._record(request)
        return web.Response(status=status)

    async def _status(self, request: web.Request) -> web.Response:
        return await self._answer(request, int(request.match_info["status"]))

    async def _delay(self, request: web.Request) -> web.Response:
        seconds = int(request.match_info["milliseconds"]) / 1000
        return await self._hold(request, None if self._holding else seconds)

    async def _hang(self, request: web.Request) -> web.Response:
        return await self._hold(request, None)

    async def _hold(self, request: web.Request, seconds: float | None) -> web.Response:
        self._held += 1
        self.most_at_once = max(self.most_at_once, self._held)
        try:
            await self._record(request)
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._released.wait()
        finally:
            self._held -= 1
        return web.Response()

    async def _record(self, request: web.Request) -> None:
        at, monotonic = datetime.now(UTC), time.monotonic()
        body = await request.read()
        async with self._changed:
            self.calls.append(Call(request.method, request.path, request.headers, body, at, monotonic))
            self._changed.notify_all()
