from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from httpx2 import AsyncClient
from sqlalchemy import update

from app.api import cursors
from app.db.audit_tables import audits, due_counts
from app.db.engine import Database
from app.db.tables import job_versions
from tests.api.building import PAGE_KEY, create, problem
from tests.api.test_pages import FORGED, walk

STATS = "/v1/stats"
HOUR = timedelta(hours=1)
NOTHING = {"p50": None, "p90": None, "p99": None, "max": None}
FIGURES = [
    *("due", "succeeded", "failed", "canceled", "lost", "skipped", "missed", "unfinished"),
    *("paused", "stopped", "unschedulable", "forgotten", "unclaimed", "unaccounted"),
]


def this_hour() -> datetime:
    return datetime.now(UTC).replace(minute=0, second=0, microsecond=0)


async def put_counts(database: Database, *jobs: dict[str, Any], due: int = 7) -> None:
    """As if each of these jobs had been due in the last hour, and nothing had come of it."""
    hour = this_hour() - HOUR
    async with database.begin() as connection:
        await connection.execute(audits.insert().values(id=1, counted_from=hour - HOUR, counted_until=hour + HOUR))
        counts = [{"hour": hour, "job_id": UUID(job["id"]), "due": due} for job in jobs]
        await connection.execute(due_counts.insert(), counts)
        await connection.execute(update(job_versions).values(effective_from=hour - HOUR))


async def stats(client: AsyncClient, **query: Any) -> dict[str, Any]:
    answer = await client.get(STATS, params=query)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def test_nothing_is_told_before_anything_is_counted(client: AsyncClient) -> None:
    told = await stats(client)
    assert told["total"] == dict.fromkeys(FIGURES, 0) | {"lag": NOTHING, "duration": NOTHING}
    assert (told["items"], told["counted_from"], told["counted_until"]) == ([], None, None)


async def test_what_nothing_tells_of_is_unaccounted(client: AsyncClient, database: Database) -> None:
    job = await create(client)
    await put_counts(database, job)
    told = await stats(client)
    assert {name: told["total"][name] for name in FIGURES if told["total"][name]} == {"due": 7, "unaccounted": 7}
    [one] = told["items"]
    assert (one.pop("job_id"), one.pop("name")) == (job["id"], "nightly")
    assert one == told["total"]
    hour = this_hour()
    assert told["counted_until"] == told["until"] == f"{hour:%Y-%m-%dT%H:%M:%SZ}"
    assert told["counted_from"] == told["since"] == f"{hour - 2 * HOUR:%Y-%m-%dT%H:%M:%SZ}"


async def test_jobs_come_by_pages_and_the_total_on_each(client: AsyncClient, database: Database) -> None:
    jobs = [await create(client, name=f"job-{number}") for number in range(5)]
    await put_counts(database, *jobs, due=2)
    assert [one["name"] for one in await walk(client, f"{STATS}?limit=2")] == [job["name"] for job in jobs]
    assert (await stats(client, limit=1))["total"]["due"] == 10


async def test_one_job_is_told_of_by_its_name_or_id_also_once_it_is_deleted(
    client: AsyncClient, database: Database
) -> None:
    job, other = await create(client), await create(client, name="other")
    await put_counts(database, job, other)
    for query in ({"job": "nightly"}, {"job_id": job["id"]}):
        told = await stats(client, **query)
        assert ([one["name"] for one in told["items"]], told["total"]["due"]) == (["nightly"], 7)
    await client.delete("/v1/jobs/nightly")
    told = await stats(client, job_id=job["id"])
    assert ([one["name"] for one in told["items"]], told["total"]["due"]) == (["nightly"], 7)
    problem(await client.get(STATS, params={"job": "nightly"}), 404, "job-not-found")
    assert (await stats(client, job_id=str(UUID(int=1))))["items"] == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"since": "yesterday"}, "since"),
        ({"since": "2020-01-01T00:00:00Z"}, "since"),
        ({"until": "2020-01-01T00:00:00Z"}, "until"),
        ({"since": "2090-01-01T00:00:00Z"}, "until"),
        ({"since": "2090-01-02T00:00:00Z", "until": "2090-01-01T00:00:00Z"}, "until"),
        ({"job": ""}, "job"),
        ({"job_id": "1"}, "job_id"),
        ({"job": "nightly", "job_id": str(UUID(int=1))}, "job_id"),
        ({"limit": 0}, "limit"),
        ({"hours": 1}, "hours"),
    ],
)
async def test_what_can_not_be_asked_is_refused(client: AsyncClient, query: dict[str, Any], field: str) -> None:
    said = problem(await client.get(STATS, params=query), 422, "invalid-input")
    assert said["field"] == field


async def test_what_is_to_come_is_empty(client: AsyncClient, database: Database) -> None:
    await put_counts(database, await create(client))
    told = await stats(client, since="2090-01-01T00:10:00Z", until="2090-01-02T00:00:00Z")
    assert (told["since"], told["until"], told["total"]["due"]) == ("2090-01-01T00:00:00Z", "2090-01-01T00:00:00Z", 0)


@pytest.mark.parametrize("cursor", [*FORGED, cursors.encode(PAGE_KEY, "stats", "no id")])
async def test_a_forged_cursor_is_refused(client: AsyncClient, cursor: str) -> None:
    assert problem(await client.get(STATS, params={"cursor": cursor}), 422, "invalid-cursor")["field"] == "cursor"
