"""How many redirects of a job's target are followed."""

from __future__ import annotations

import pytest
from httpx2 import AsyncClient

from tests.api.building import JOB, create, problem


async def test_a_job_says_how_many_redirects_are_followed(client: AsyncClient) -> None:
    assert (await create(client, name="plain"))["max_redirects"] == 0
    job = await create(client, max_redirects=10)
    assert job["max_redirects"] == 10
    assert (await client.get("/v1/jobs/nightly")).json() == job
    assert (await client.patch("/v1/jobs/nightly", json={"max_redirects": 3})).json()["max_redirects"] == 3
    assert (await client.patch("/v1/jobs/nightly", json={"max_redirects": None})).json()["max_redirects"] == 0


@pytest.mark.parametrize("value", [-1, 11, 1.5, "1", True, [], 10**30])
async def test_other_numbers_are_refused(client: AsyncClient, value: object) -> None:
    said = problem(await client.post("/v1/jobs", json=JOB | {"max_redirects": value}), 422, "invalid-input")
    assert [each["field"] for each in said["errors"]] == ["max_redirects"]
