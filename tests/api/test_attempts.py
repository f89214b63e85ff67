from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from httpx2 import AsyncClient
from sqlalchemy import insert

from app.db.engine import Database
from app.db.trace_tables import job_attempts
from tests.api.building import NO_SUCH_RUN, create, problem

REPLICA = UUID(int=0xA)
FIELDS = (
    "attempt outcome discarded replica due_at began_at ended_at queue_ms dns_ms connect_ms first_byte_ms total_ms"
    " status_code error response_excerpt"
)


@pytest.fixture
async def run(client: AsyncClient) -> dict[str, Any]:
    await create(client)
    made: dict[str, Any] = (await client.post("/v1/jobs/nightly/trigger")).json()
    return made


async def put(database: Database, run: dict[str, Any], fence: int, **values: Any) -> None:
    at = datetime.fromisoformat(run["scheduled_for"])
    row = {"run_id": UUID(run["id"]), "ledger_at": at, "fence": fence, "attempt": fence, "replica": REPLICA}
    row |= {"outcome": "failed", "discarded": False, "due_at": at, "ended_at": at + timedelta(seconds=2)}
    async with database.begin() as connection:
        await connection.execute(insert(job_attempts).values(row | values))


async def test_a_call_is_told_with_its_times_in_milliseconds(
    client: AsyncClient, database: Database, run: dict[str, Any]
) -> None:
    at = datetime.fromisoformat(run["scheduled_for"])
    times = {"dns_seconds": 0.001, "connect_seconds": 0.0123456, "first_byte_seconds": 1.5}
    facts = {"status_code": 503, "error": "status 503", "response_excerpt": "busy"}
    await put(database, run, 1, began_at=at + timedelta(milliseconds=250), **times, **facts)
    answer = await client.get(f"/v1/runs/{run['id']}/attempts")
    [told] = answer.json()["items"]
    assert set(told) == set(FIELDS.split())
    assert [told[f"{stage}_ms"] for stage in ("queue", "dns", "connect", "first_byte", "total")] == [
        250,
        1,
        12.346,
        1500,
        1750,
    ]
    assert {name: told[name] for name in facts} == facts
    assert (told["attempt"], told["outcome"], told["discarded"], told["replica"]) == (1, "failed", False, str(REPLICA))


async def test_pages_lead_through_all_attempts(client: AsyncClient, database: Database, run: dict[str, Any]) -> None:
    for fence in (3, 1, 2):
        await put(database, run, fence)
    found: list[int] = []
    url: str | None = f"/v1/runs/{run['id']}/attempts?limit=2"
    while url is not None:
        answer = await client.get(url)
        found += [each["attempt"] for each in answer.json()["items"]]
        url = answer.links["next"]["url"] if "next" in answer.links else None
    assert found == [1, 2, 3]


async def test_a_run_that_was_never_called_has_no_attempts(client: AsyncClient, run: dict[str, Any]) -> None:
    assert (await client.get(f"/v1/runs/{run['id']}/attempts")).json() == {"items": [], "next_cursor": None}


async def test_the_attempts_of_a_missing_run_are_not_found(client: AsyncClient) -> None:
    problem(await client.get(f"/v1/runs/{NO_SUCH_RUN}/attempts"), 404, "run-not-found")


async def test_a_cursor_of_another_page_is_refused(client: AsyncClient, run: dict[str, Any]) -> None:
    answer = await client.get(f"/v1/runs/{run['id']}/attempts", params={"cursor": "WyJydW5zIiwgIjEiXQ"})
    problem(answer, 422, "invalid-cursor")
