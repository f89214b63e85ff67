from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from httpx2 import AsyncClient
from sqlalchemy import update

from app.db.engine import Database
from app.db.tables import job_runs
from app.domain.run import State
from tests.api.building import NO_SUCH_RUN, create, problem

FIELDS = (
    "id job_id job_name job_version scheduled_for trigger state reason due_at deadline_at waiting_for delayed_by"
    " retry_of backfill_id cancel_requested attempt takeovers started_at finished_at lag_ms duration_ms status_code"
    " error response_excerpt replica"
)


async def trigger(client: AsyncClient, name: str = "nightly") -> dict[str, Any]:
    answer = await client.post(f"/v1/jobs/{name}/trigger")
    assert answer.status_code == 202, answer.text
    run: dict[str, Any] = answer.json()
    return run


async def ids(client: AsyncClient, path: str, **query: str) -> list[str]:
    answer = await client.get(path, params=query)
    assert answer.status_code == 200, answer.text
    return [run["id"] for run in answer.json()["items"]]


async def test_a_trigger_queues_a_run_and_tells_where_it_is(client: AsyncClient) -> None:
    job = await create(client)
    answer = await client.post("/v1/jobs/nightly/trigger")
    run = answer.json()
    assert answer.status_code == 202
    assert answer.headers["location"] == f"/v1/runs/{run['id']}"
    assert set(run) == set(FIELDS.split())
    assert (run["job_id"], run["job_name"], run["job_version"]) == (job["id"], "nightly", 1)
    assert (run["trigger"], run["state"], run["attempt"]) == ("manual", "pending", 0)
    assert [run[name] for name in ("started_at", "lag_ms", "duration_ms", "status_code", "replica")] == [None] * 5
    assert (await client.get(answer.headers["location"])).json() == run
    assert (await client.get("/v1/jobs/nightly")).json()["version"] == 1


async def test_a_paused_job_is_triggered_too(client: AsyncClient) -> None:
    await create(client, enabled=False)
    assert (await trigger(client))["state"] == "pending"


async def test_a_job_without_an_endpoint_can_not_be_triggered(client: AsyncClient, database: Database) -> None:
    await create(client)
    async with database.begin() as connection:
        await connection.exec_driver_sql("UPDATE cron_jobs SET endpoint = NULL")
    problem(await client.post("/v1/jobs/nightly/trigger"), 409, "conflict")


@pytest.mark.parametrize("run_id", [NO_SUCH_RUN, UUID(int=0), UUID(int=2**128 - 1)])
async def test_a_missing_run_is_not_found(client: AsyncClient, run_id: UUID) -> None:
    problem(await client.get(f"/v1/runs/{run_id}"), 404, "run-not-found")


async def test_an_id_that_is_none_is_refused(client: AsyncClient) -> None:
    assert problem(await client.get("/v1/runs/1"), 422, "invalid-input")["field"] == "run_id"


async def test_a_run_tells_its_lag_and_its_duration(client: AsyncClient, database: Database) -> None:
    await create(client)
    run = await trigger(client)
    meant = datetime.fromisoformat(run["scheduled_for"])
    ended = {
        "state": State.FAILED,
        "started_at": meant + timedelta(milliseconds=12.345),
        "finished_at": meant + timedelta(milliseconds=2012.345),
        "status_code": 503,
        "error": "status 503",
        "response_excerpt": "busy",
    }
    async with database.begin() as connection:
        await connection.execute(update(job_runs).values(ended))
    shown = (await client.get(f"/v1/runs/{run['id']}")).json()
    assert (shown["lag_ms"], shown["duration_ms"]) == (12.345, 2000)
    assert (shown["state"], shown["status_code"], shown["error"], shown["response_excerpt"]) == (
        "failed",
        503,
        "status 503",
        "busy",
    )


async def test_the_newest_run_comes_first(client: AsyncClient) -> None:
    await create(client)
    made = [(await trigger(client))["id"] for _ in range(5)]
    assert sorted(await ids(client, "/v1/runs")) == sorted(made)
    assert await ids(client, "/v1/runs") == sorted(made, reverse=True)


async def test_pages_lead_through_all_runs_while_new_ones_come(client: AsyncClient) -> None:
    await create(client)
    made = sorted([(await trigger(client))["id"] for _ in range(5)], reverse=True)
    found: list[str] = []
    url: str | None = "/v1/runs?limit=2&trigger=manual"
    while url is not None:
        answer = await client.get(url)
        found += [run["id"] for run in answer.json()["items"]]
        await trigger(client)
        url = answer.links["next"]["url"] if "next" in answer.links else None
    assert found == made


async def test_runs_of_a_job_are_its_own(client: AsyncClient) -> None:
    one, other = await create(client, name="one"), await create(client, name="other")
    of_one, of_other = await trigger(client, "one"), await trigger(client, "other")
    assert await ids(client, "/v1/jobs/one/runs") == [of_one["id"]]
    assert await ids(client, "/v1/runs", job_id=other["id"]) == [of_other["id"]]
    assert await ids(client, "/v1/runs", job_id=one["id"], state="pending") == [of_one["id"]]
    said = problem(await client.get("/v1/jobs/one/runs", params={"job_id": one["id"]}), 422, "invalid-input")
    assert said["field"] == "job_id"


async def test_runs_of_a_deleted_job_are_found_by_its_id(client: AsyncClient) -> None:
    job = await create(client)
    run = await trigger(client)
    await client.delete("/v1/jobs/nightly")
    assert await ids(client, "/v1/runs", job_id=job["id"]) == [run["id"]]
    shown = (await client.get(f"/v1/runs/{run['id']}")).json()
    assert (shown["state"], shown["reason"]) == ("canceled", "deleted")


async def test_runs_are_filtered(client: AsyncClient) -> None:
    await create(client)
    run = await trigger(client)
    at = run["scheduled_for"]
    for path in ("/v1/runs", "/v1/jobs/nightly/runs"):
        for fitting in ({"state": "pending"}, {"trigger": "manual"}, {"since": at}, {"until": "2099-01-01T00:00:00Z"}):
            assert await ids(client, path, **fitting) == [run["id"]]
        for other in ({"state": "lost"}, {"trigger": "catch_up"}, {"since": "2099-01-01T00:00:00Z"}, {"until": at}):
            assert await ids(client, path, **other) == []


async def test_every_state_and_trigger_is_a_filter(client: AsyncClient) -> None:
    for state in ("pending", "running", "succeeded", "failed", "canceled", "skipped", "missed", "lost"):
        assert await ids(client, "/v1/runs", state=state) == []
    for cause in ("schedule", "catch_up", "manual", "retry"):
        assert await ids(client, "/v1/runs", trigger=cause) == []


async def test_spans_tell_when_a_job_stood_still(client: AsyncClient) -> None:
    job = await create(client)
    for _ in range(2):
        await client.post("/v1/jobs/nightly/pause")
        await client.post("/v1/jobs/nightly/resume")
    await client.post("/v1/jobs/nightly/pause")
    spans = (await client.get("/v1/jobs/nightly/spans")).json()["items"]
    assert [span["version"] for span in spans] == [6, 4, 2]
    assert set(spans[0]) == {"job_id", "version", "from", "until", "count", "reason", "note", "paused_until"}
    assert (spans[0]["job_id"], spans[0]["until"], spans[0]["count"], spans[0]["reason"]) == (
        job["id"],
        None,
        None,
        "paused",
    )
    assert spans[1]["from"] < spans[1]["until"]
    assert spans[1]["count"] == 0


async def test_pages_lead_through_all_spans(client: AsyncClient) -> None:
    await create(client)
    for _ in range(3):
        await client.post("/v1/jobs/nightly/pause")
        await client.post("/v1/jobs/nightly/resume")
    first = await client.get("/v1/jobs/nightly/spans?limit=2")
    second = await client.get(first.links["next"]["url"])
    assert [span["version"] for span in first.json()["items"] + second.json()["items"]] == [6, 4, 2]
    assert second.json()["next_cursor"] is None
