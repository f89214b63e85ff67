from __future__ import annotations

from datetime import timedelta

import pytest
from httpx2 import AsyncClient
from pydantic import ValidationError

from app.config import Settings
from tests.api.building import JOB, create, problem


async def test_how_many_runs_are_kept_is_a_policy_like_others(client: AsyncClient) -> None:
    job = await create(client, keep_runs=5)
    assert job["keep_runs"] == 5
    answer = await client.patch(f"/v1/jobs/{job['name']}", json={"keep_runs": None})
    assert answer.json()["keep_runs"] is None


@pytest.mark.parametrize("keep_runs", [0, -1, 1.5, "5", True, 1_000_001])
async def test_at_least_one_run_is_kept(client: AsyncClient, keep_runs: object) -> None:
    said = problem(await client.post("/v1/jobs", json=JOB | {"keep_runs": keep_runs}), 422, "invalid-input")
    assert [error["field"] for error in said["errors"]] == ["keep_runs"]


def test_runs_are_kept_for_days() -> None:
    assert Settings().kept == timedelta(days=30)
    assert Settings(retention_days=7).kept == timedelta(days=7)
    for days in (0, -1, 36_501):
        with pytest.raises(ValidationError, match="retention_days"):
            Settings(retention_days=days)
