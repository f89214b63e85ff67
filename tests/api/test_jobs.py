from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from httpx2 import AsyncClient

from tests.api.building import JOB, create, problem

FULL: dict[str, Any] = {
    "name": "full",
    "schedule": "0 9 1,15 * MON",
    "endpoint": "https://example.com/hook?a=1",
    "timezone": "Europe/Berlin",
    "day_rule": "and",
    "enabled": False,
    "description": "Übersicht ✓",
    "labels": {"team": "billing", "tier/x": ""},
    "method": "put",
    "headers": {"X-Kind": "daily"},
    "body": {"nested": [1, None, "ä", {"deep": True}]},
    "timeout_seconds": 2.5,
    "starts_at": "2030-01-01T00:00:00+01:00",
    "ends_at": "2031-01-01T00:00:00Z",
}


async def test_a_new_job_is_answered_with_its_place_and_its_defaults(client: AsyncClient) -> None:
    answer = await client.post("/v1/jobs", json=JOB)
    job = answer.json()
    assert answer.status_code == 201
    assert answer.headers["location"] == "/v1/jobs/nightly"
    assert answer.headers["etag"].startswith('"1.')
    assert UUID(job["id"]).version == 7
    assert {
        name: job[name] for name in ("timezone", "day_rule", "enabled", "method", "timeout_seconds", "version")
    } == {
        "timezone": "UTC",
        "day_rule": "or",
        "enabled": True,
        "method": "POST",
        "timeout_seconds": 30,
        "version": 1,
    }
    assert (job["labels"], job["headers"], job["body"], job["description"]) == ({}, {}, None, "")
    assert datetime.fromisoformat(job["next_run"]) > datetime.now(UTC)
    assert [job[name] for name in ("last_run", "last_success", "last_error", "problem")] == [None] * 4


async def test_everything_that_is_given_comes_back(client: AsyncClient) -> None:
    await client.post("/v1/jobs", json=FULL)
    job = (await client.get("/v1/jobs/full")).json()
    expected = FULL | {"method": "PUT", "starts_at": "2029-12-31T23:00:00Z"}
    assert {name: job[name] for name in FULL} == expected
    assert job["next_run"] is None


async def test_an_endpoint_is_kept_in_its_canonical_form(client: AsyncClient) -> None:
    job = await create(client, endpoint="HTTP://Example.COM:80")
    assert job["endpoint"] == "http://example.com/"


async def test_a_zone_in_the_schedule_is_the_jobs_zone(client: AsyncClient) -> None:
    job = await create(client, schedule="TZ=Asia/Tokyo 0 9 * * *")
    assert job["timezone"] == "Asia/Tokyo"


async def test_a_zone_that_contradicts_the_schedule_is_refused(client: AsyncClient) -> None:
    answer = await client.post("/v1/jobs", json=JOB | {"schedule": "TZ=Asia/Tokyo 0 9 * * *", "timezone": "UTC"})
    assert problem(answer, 422, "invalid-schedule")["field"] == "schedule"


async def test_a_name_that_is_taken_is_a_conflict(client: AsyncClient) -> None:
    await create(client)
    said = problem(await client.post("/v1/jobs", json=JOB), 409, "name-taken")
    assert said["field"] == "name"
    assert said["remedy"]


async def test_a_missing_job_is_not_found(client: AsyncClient) -> None:
    for method, path in [
        ("GET", ""),
        ("PATCH", ""),
        ("DELETE", ""),
        ("POST", "/pause"),
        ("POST", "/resume"),
        ("POST", "/trigger"),
        ("GET", "/next"),
        ("GET", "/runs"),
        ("GET", "/spans"),
    ]:
        answer = await client.request(method, f"/v1/jobs/nobody{path}", json={} if method == "PATCH" else None)
        said = problem(answer, 404, "job-not-found")
        assert "nobody" in said["detail"]
        assert said["instance"] == f"/v1/jobs/nobody{path}"


async def test_put_creates_and_then_replaces(client: AsyncClient) -> None:
    fields = {name: value for name, value in JOB.items() if name != "name"}
    made = await client.put("/v1/jobs/nightly", json=fields | {"description": "first", "labels": {"a": "b"}})
    again = await client.put("/v1/jobs/nightly", json=fields | {"name": "nightly", "timezone": "Asia/Tokyo"})
    assert (made.status_code, made.headers["location"]) == (201, "/v1/jobs/nightly")
    assert again.status_code == 200
    assert again.headers["etag"].startswith('"2.')
    job = again.json()
    assert (job["id"], job["version"]) == (made.json()["id"], 2)
    assert (job["description"], job["labels"], job["timezone"]) == ("", {}, "Asia/Tokyo")


async def test_a_put_that_changes_nothing_makes_no_version(client: AsyncClient) -> None:
    await create(client)
    answer = await client.put("/v1/jobs/nightly", json=JOB)
    assert (answer.status_code, answer.json()["version"]) == (200, 1)


@pytest.mark.parametrize("inside", [lambda value: value, lambda value: {"a": [value]}])
async def test_what_python_takes_for_equal_is_another_body(client: AsyncClient, inside: Callable[[Any], Any]) -> None:
    await create(client, body=inside(1))
    for version, value in enumerate((True, 0, False, 1), start=2):
        body = {"body": inside(value)}
        for answer in (
            await client.put("/v1/jobs/nightly", json=JOB | body),
            await client.patch("/v1/jobs/nightly", json=body),
            await client.get("/v1/jobs/nightly"),
        ):
            assert answer.json()["version"] == version
            assert json.dumps(answer.json()["body"]) == json.dumps(inside(value))


async def test_put_refuses_another_name_in_the_body(client: AsyncClient) -> None:
    answer = await client.put("/v1/jobs/other", json=JOB)
    assert problem(answer, 422, "invalid-input")["field"] == "name"
    problem(await client.get("/v1/jobs/other"), 404, "job-not-found")


@pytest.mark.parametrize("path", ["a%2Fb", "%C3%A4", "-dash", "x" * 256])
async def test_put_gives_no_name_outside_the_pattern(client: AsyncClient, path: str) -> None:
    fields = {name: value for name, value in JOB.items() if name != "name"}
    answer = await client.put(f"/v1/jobs/{path}", json=fields)
    assert problem(answer, 422, "invalid-input")["field"] == "name"


async def test_delete_removes_the_job_and_frees_its_name(client: AsyncClient) -> None:
    first = await create(client)
    answer = await client.delete("/v1/jobs/nightly")
    assert (answer.status_code, answer.content) == (204, b"")
    problem(await client.get("/v1/jobs/nightly"), 404, "job-not-found")
    problem(await client.delete("/v1/jobs/nightly"), 404, "job-not-found")
    assert (await create(client))["id"] != first["id"]


async def test_pause_and_resume_turn_enabled(client: AsyncClient) -> None:
    await create(client)
    paused = await client.post("/v1/jobs/nightly/pause")
    assert (paused.status_code, paused.json()["enabled"], paused.json()["next_run"]) == (200, False, None)
    assert paused.headers["etag"].startswith('"2.')
    resumed = await client.post("/v1/jobs/nightly/resume")
    assert (resumed.status_code, resumed.json()["enabled"]) == (200, True)
    assert datetime.fromisoformat(resumed.json()["next_run"]) > datetime.now(UTC)
    again = await client.post("/v1/jobs/nightly/resume")
    assert again.json()["version"] == resumed.json()["version"] == 3


async def test_a_job_tells_when_it_is_due_next(client: AsyncClient) -> None:
    job = await create(client, timezone="Asia/Tokyo")
    times = (await client.get("/v1/jobs/nightly/next", params={"count": 3})).json()["items"]
    assert times[0]["at"] == job["next_run"]
    assert len(times) == 3
    assert all(time["local"].endswith("T03:30:00+09:00") for time in times)
    assert len((await client.get("/v1/jobs/nightly/next")).json()["items"]) == 10


async def test_a_paused_job_tells_when_it_would_be_due(client: AsyncClient) -> None:
    await create(client, enabled=False)
    assert len((await client.get("/v1/jobs/nightly/next", params={"count": 1000})).json()["items"]) == 1000


@pytest.mark.parametrize("count", ["0", "1001", "x", "1.5", ""])
async def test_next_times_are_bounded(client: AsyncClient, count: str) -> None:
    await create(client)
    answer = await client.get("/v1/jobs/nightly/next", params={"count": count})
    assert problem(answer, 422, "invalid-input")["field"] == "count"
