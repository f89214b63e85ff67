from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from ssl import SSLContext
from typing import Any
from uuid import UUID

import pytest

from app.domain.clock import FakeClock
from app.domain.run import Call, Trigger
from app.target.address import Targets
from app.target.caller import HttpTarget
from app.target.reach import Reach
from tests.unit.target.servers import Handler, Server
from tests.unit.target.types import MakeCall, OpenTarget, Serve

NOW = datetime(2026, 11, 24, 9, 0, 0, 12_345, tzinfo=UTC)


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


@pytest.fixture
def serve(stack: AsyncExitStack) -> Serve:
    async def start(handler: Handler | bytes, *, tls: SSLContext | None = None) -> tuple[Server, str]:
        async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            assert isinstance(handler, bytes)
            await server.read(reader)
            writer.write(handler)
            await writer.drain()

        server = Server(say if isinstance(handler, bytes) else handler)
        port = await server.start(tls)
        stack.push_async_callback(server.stop)
        return server, f"127.0.0.1:{port}"

    return start


@pytest.fixture
def open_target(stack: AsyncExitStack) -> OpenTarget:
    async def start(reach: Reach | Targets = Targets.ANY, **arguments: Any) -> HttpTarget:
        target = HttpTarget(reach if isinstance(reach, Reach) else Reach(reach), FakeClock(NOW), "1.2.3", **arguments)
        await target.open()
        stack.push_async_callback(target.close)
        return target

    return start


@pytest.fixture
async def target(open_target: OpenTarget) -> HttpTarget:
    return await open_target()


@pytest.fixture
def make_call() -> MakeCall:
    def make(endpoint: str = "http://unused.test/", **changes: Any) -> Call:
        facts: dict[str, Any] = {
            "run_id": UUID("0193a1b2-c3d4-8e5f-9a0b-1c2d3e4f5a6b"),
            "job_id": UUID("0193a1b2-0000-7000-8000-000000000001"),
            "job_name": "nightly",
            "job_version": 3,
            "scheduled_for": datetime(2026, 11, 24, 9, tzinfo=UTC),
            "trigger": Trigger.SCHEDULE,
            "attempt": 2,
            "method": "POST",
            "headers": {},
            "body": None,
            "timeout_seconds": 10.0,
        }
        return Call(endpoint=endpoint, **(facts | changes))

    return make
