from __future__ import annotations

from typing import Any

import pytest
from httpx2 import AsyncClient

from app.service.services import Services
from tests.api.building import JOB, create, problem

DRY = {"dry_run": "true"}


async def test_a_dry_run_shows_the_job_with_its_next_five_times_and_makes_none(client: AsyncClient) -> None:
    answer = await client.post("/v1/jobs", params=DRY, json=JOB | {"timezone": "Europe/Berlin"})
    job = answer.json()
    assert (answer.status_code, "etag" in answer.headers, "location" in answer.headers) == (200, False, False)
    assert (job["name"], job["version"], job["timezone"]) == ("nightly", 1, "Europe/Berlin")
    assert len(job["next_times"]) == 5
    assert job["next_times"][0]["at"] == job["next_run"]
    assert all("T03:30:00" in time["local"] for time in job["next_times"])
    assert (await client.get("/v1/jobs/nightly")).status_code == 404
    assert (await client.post("/v1/jobs", json=JOB)).status_code == 201


@pytest.mark.parametrize(
    ("change", "kind"),
    [({"schedule": "61 * * * *"}, "invalid-schedule"), ({"exclude": [{"calendar": "no-such"}]}, "unknown-calendar")],
)
async def test_a_dry_run_is_refused_for_what_the_real_one_would_be(
    client: AsyncClient, change: dict[str, Any], kind: str
) -> None:
    problem(await client.post("/v1/jobs", params=DRY, json=JOB | change), 422, kind)


async def test_a_dry_run_sees_that_a_name_is_taken(client: AsyncClient) -> None:
    await create(client)
    problem(await client.post("/v1/jobs", params=DRY, json=JOB), 409, "name-taken")


async def test_a_dry_run_of_a_change_leaves_the_job_and_its_history(client: AsyncClient, services: Services) -> None:
    before = await create(client)
    told: list[list[int]] = []
    services.scheduler.jobs_changed = told.append  # type: ignore[method-assign,assignment]  # what the others hear
    patched = await client.patch("/v1/jobs/nightly", params=DRY, json={"schedule": "0 5 * * *"})
    put = await client.put("/v1/jobs/nightly", params=DRY, json=JOB | {"enabled": False})
    assert (patched.status_code, patched.json()["version"], patched.json()["schedule"]) == (200, 2, "0 5 * * *")
    assert "T05:00:00" in patched.json()["next_times"][0]["at"]
    assert (put.json()["enabled"], put.json()["next_run"], len(put.json()["next_times"])) == (False, None, 5)
    assert (await client.get("/v1/jobs/nightly")).json() == before
    assert (await client.get("/v1/jobs/nightly/spans")).json()["items"] == []
    assert told == []


async def test_a_dry_run_minds_if_match(client: AsyncClient) -> None:
    await create(client)
    stale = {"If-Match": '"7.x"'}
    problem(await client.put("/v1/jobs/nightly", params=DRY, headers=stale, json=JOB), 412, "version-mismatch")


async def test_a_dry_run_of_a_put_may_show_a_job_that_is_not_there(client: AsyncClient) -> None:
    answer = await client.put("/v1/jobs/new", params=DRY, json={**JOB, "name": "new"})
    assert (answer.status_code, answer.json()["name"]) == (200, "new")
    assert (await client.get("/v1/jobs/new")).status_code == 404


async def test_a_dry_run_that_can_t_be_read_as_one_is_refused(client: AsyncClient) -> None:
    answer = await client.post("/v1/jobs", params={"dry_run": "yes"}, json=JOB)
    assert problem(answer, 422, "invalid-input")["field"] == "dry_run"
    assert (await client.get("/v1/jobs/nightly")).status_code == 404


async def test_a_job_that_is_never_due_has_no_next_times(client: AsyncClient) -> None:
    answer = await client.post("/v1/jobs", params=DRY, json=JOB | {"schedule": "@manual"})
    assert answer.json()["next_times"] == []
