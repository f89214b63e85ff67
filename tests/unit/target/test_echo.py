from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta

import pytest

from app.domain.clock import FakeClock
from app.echo import serve_echo
from app.target.caller import HttpTarget
from tests.unit.target.conftest import NOW
from tests.unit.target.types import MakeCall


@pytest.fixture
def lines() -> list[str]:
    return []


@pytest.fixture
async def echo(lines: list[str]) -> AsyncIterator[str]:
    port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    server = asyncio.create_task(serve_echo("127.0.0.1", 0, lines.append, port.set_result, FakeClock(NOW)))
    async with asyncio.timeout(10):
        yield f"127.0.0.1:{await port}"
    server.cancel()
    with suppress(asyncio.CancelledError):
        await server


async def test_echo_prints_a_line_a_call(echo: str, lines: list[str], target: HttpTarget, make_call: MakeCall) -> None:
    outcome = await target.call(make_call(f"http://{echo}/hook?a=1", scheduled_for=NOW - timedelta(milliseconds=12)))
    assert outcome.succeeded
    assert json.loads(outcome.response_excerpt or "") == {
        "received": "2026-11-24T09:00:00.012Z",
        "run_id": "0193a1b2-c3d4-8e5f-9a0b-1c2d3e4f5a6b",
    }
    assert lines == [
        (
            "2026-11-24T09:00:00.012Z POST /hook?a=1 "
            "job=nightly scheduled-for=2026-11-24T09:00:00.000345Z attempt=2 lag=12ms"
        )
    ]


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_echo_takes_any_method(
    echo: str, lines: list[str], target: HttpTarget, make_call: MakeCall, method: str
) -> None:
    assert (await target.call(make_call(f"http://{echo}/", method=method))).succeeded
    assert f"Z {method} / job=nightly" in lines[0]


async def test_echo_prints_a_call_of_a_stranger(echo: str, lines: list[str]) -> None:
    host, _, port = echo.partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(
        b"GET /x HTTP/1.1\r\nHost: h\r\nCronledger-Job: a\xc2\x9bb\r\nCronledger-Scheduled-For: 2026-01-01T00:00:00\r\n"
    )
    writer.write(b"Connection: close\r\n\r\n")
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert lines == ["2026-11-24T09:00:00.012Z GET /x job=a?b scheduled-for=2026-01-01T00:00:00 attempt=- lag=-"]


async def test_echo_says_that_its_port_is_taken(echo: str) -> None:
    with pytest.raises(OSError, match="in use"):
        await serve_echo("127.0.0.1", int(echo.partition(":")[2]), print, print)
