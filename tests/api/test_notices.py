"""The field `notify` of a job, and the runs that it leads to."""

from __future__ import annotations

from typing import Any

import pytest
from httpx2 import AsyncClient

from tests.api.building import JOB, create, problem

RULE = {"on": ["failure", "recovery"], "endpoint": "https://ops.example/told", "headers": {"X-Team": "ops"}}


async def test_a_job_says_who_is_told_of_it(client: AsyncClient) -> None:
    assert (await create(client, name="plain"))["notify"] == []
    job = await create(client, notify=[RULE, {"on": ["lost"], "endpoint": "https://OPS.example"}])
    assert job["notify"] == [RULE, {"on": ["lost"], "endpoint": "https://ops.example/", "headers": {}}]
    assert (await client.get("/v1/jobs/nightly")).json() == job
    untouched = await client.patch("/v1/jobs/nightly", json={"description": "another"})
    assert untouched.json()["notify"] == job["notify"]
    changed = await client.patch("/v1/jobs/nightly", json={"notify": [RULE]})
    assert changed.json()["notify"] == [RULE]
    cleared = await client.patch("/v1/jobs/nightly", json={"notify": None})
    assert cleared.json()["notify"] == []


@pytest.mark.parametrize(
    ("value", "kind", "field"),
    [
        ([RULE] * 6, "invalid-input", "notify"),
        ([RULE | {"on": []}], "invalid-input", "notify.0.on"),
        ([RULE | {"on": ["eclipse"]}], "invalid-input", "notify.0.on.0"),
        ([RULE | {"on": ["lost"] * 6}], "invalid-input", "notify.0.on"),
        ([{"on": ["lost"]}], "invalid-input", "notify.0.endpoint"),
        ([RULE, RULE | {"endpoint": "ops"}], "invalid-endpoint", "notify.1.endpoint"),
        ([RULE | {"headers": {"Cronledger-Event": "x"}}], "invalid-input", "notify.0.headers.Cronledger-Event"),
        ([RULE | {"method": "GET"}], "invalid-input", "notify.0.method"),
        (RULE, "invalid-input", "notify"),
    ],
)
async def test_a_bad_rule_is_named(client: AsyncClient, value: Any, kind: str, field: str) -> None:
    said = problem(await client.post("/v1/jobs", json=JOB | {"notify": value}), 422, kind)
    assert said["field"] == field


async def test_notices_can_be_asked_for(client: AsyncClient) -> None:
    await create(client, notify=[RULE])
    for path in ("/v1/runs", "/v1/jobs/nightly/runs"):
        answer = await client.get(path, params={"trigger": "notify"})
        assert (answer.status_code, answer.json()["items"]) == (200, [])
