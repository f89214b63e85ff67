"""Values that nobody may be told, and everything that the service emits, in which they are looked for."""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote

from httpx2 import AsyncClient
from sqlalchemy import MetaData, select

from app.db.engine import connect

PATHS = [
    *("/livez", "/readyz", "/metrics", "/openapi.json", "/docs"),
    *(
        "/v1/jobs",
        "/v1/calendars",
        "/v1/limits",
        "/v1/secrets",
        "/v1/keys",
        "/v1/namespaces",
        "/v1/audit",
        "/v1/runs",
        "/v1/entries",
    ),
    *("/v1/stats", "/v1/forecast", "/v1/backfills", "/v1/replicas", "/v1/scheduler", "/v1/namespaces"),
]
OF_A_JOB = ["", "/runs", "/spans", "/versions", "/next"]


def forms(canary: str) -> set[str]:
    """As it is, as its beginning, in URLs, and in base64 whatever stands before it."""
    coded = {b64encode(b"x" * shift + canary.encode()).decode()[4:-4] for shift in range(3)}
    return {canary, canary[:12], quote(canary, safe=""), *coded}


def found_in(text: str, canaries: Iterable[str]) -> list[str]:
    return [canary for canary in canaries if any(form in text for form in forms(canary))]


async def answers(client: AsyncClient, jobs: Iterable[str]) -> dict[str, str]:
    """What the API tells of everything, headers and all, by path."""
    paths = PATHS + [f"/v1/jobs/{name}{part}" for name in jobs for part in OF_A_JOB]
    runs = (await client.get("/v1/runs", params={"limit": 1000})).json()["items"]
    paths += [f"/v1/runs/{run['id']}{part}" for run in runs for part in ("", "/attempts")]
    paths += [f"/v1/jobs/{run['job_name']}/explain?at={quote(run['scheduled_for'])}" for run in runs[:20]]
    told: dict[str, str] = {}
    for path in paths:
        answer = await client.get(path)
        assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text}"
        told[path] = f"{dict(answer.headers)} {answer.text}"
    return told


async def events(client: AsyncClient, until: str) -> str:
    """The stream from its begin to the line that holds this."""
    told: list[str] = []
    async with asyncio.timeout(20), client.stream("GET", "/v1/events", headers={"Last-Event-ID": "0"}) as answer:
        async for line in answer.aiter_lines():
            told.append(line)
            if until in line.replace(" ", ""):
                break
    return "\n".join(told)


async def dump(url: str) -> dict[str, str]:
    """Every row of every table, by table."""
    database = connect(url)
    try:
        async with database.read() as connection:
            tables = MetaData()
            await connection.run_sync(tables.reflect)
            return {
                name: "\n".join(_told(row) for row in await connection.execute(select(table)))
                for name, table in tables.tables.items()
            }
    finally:
        await database.close()


def _told(row: Any) -> str:
    return json.dumps(list(_plain(row)), default=str, ensure_ascii=False)


def _plain(row: Any) -> Iterator[object]:
    yield from (value.decode("latin-1") if isinstance(value, bytes) else value for value in row)
