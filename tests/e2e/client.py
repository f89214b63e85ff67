"""What a user does with curl, for tests: bounded, over a real socket."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import httpx2

from tests.servers.sink import Call

SECONDLY = "* * * * * *"


class Api:
    """A service at `url`; an answer that is not 2xx is an assertion failure with its text."""

    def __init__(self, url: str) -> None:
        self._client = httpx2.AsyncClient(base_url=url, timeout=10)

    async def close(self) -> None:
        await self._client.aclose()

    async def request(self, method: str, path: str, **options: Any) -> httpx2.Response:
        response = await self._client.request(method, path, **options)
        assert response.is_success, f"{method} {path}: {response.status_code} {response.text}"
        return response

    async def get(self, path: str, **params: Any) -> Any:
        return (await self.request("GET", path, params=params)).json()

    async def post(self, path: str, body: Any = None) -> Any:
        return (await self.request("POST", path, json=body)).json()

    async def create(self, name: str, endpoint: str, schedule: str = SECONDLY, **more: Any) -> Any:
        return await self.post("/v1/jobs", {"name": name, "schedule": schedule, "endpoint": endpoint} | more)

    async def delete(self, name: str) -> None:
        await self.request("DELETE", f"/v1/jobs/{name}")

    async def entries(self) -> set[str]:
        return {entry["name"] for entry in (await self.get("/v1/entries", limit=1000))["items"]}

    async def runs(self, **filters: Any) -> list[dict[str, Any]]:
        """All of them, over all pages."""
        found: list[dict[str, Any]] = []
        cursor: dict[str, Any] = {}
        while True:
            page = await self.get("/v1/runs", limit=1000, **filters, **cursor)
            found += page["items"]
            if page["next_cursor"] is None:
                return found
            cursor = {"cursor": page["next_cursor"]}


async def eventually(what: Callable[[], Awaitable[bool]], *, timeout: float = 10) -> None:
    """Ask until it is so: what another process has come to can't be waited for in any other way."""
    async with asyncio.timeout(timeout):
        while not await what():
            await asyncio.to_thread(_breathe)


def _breathe() -> None:
    import threading  # noqa: PLC0415

    threading.Event().wait(0.02)


def repeated(calls: list[Call]) -> dict[str, int]:
    """The instants that were called more than once."""
    counted = Counter(call.headers["Cronledger-Scheduled-For"] for call in calls)
    return {instant: count for instant, count in counted.items() if count > 1}


def instants(runs: list[dict[str, Any]]) -> list[datetime]:
    return sorted(datetime.fromisoformat(run["scheduled_for"]) for run in runs)


def assert_no_gap(found: list[datetime]) -> None:
    """A job of every second has a row for every second, once."""
    assert len(set(found)) == len(found)
    assert found[-1] - found[0] == timedelta(seconds=len(found) - 1)
