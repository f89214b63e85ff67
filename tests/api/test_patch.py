from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from httpx2 import AsyncClient
from uuid_utils.compat import uuid7

from app.api.schemas.job_in import merge
from app.db.engine import Database
from app.db.transaction import transaction
from app.domain.job import JobDefinition
from tests.api.building import create, problem

PATH = "/v1/jobs/nightly"


async def patched(client: AsyncClient, patch: dict[str, Any]) -> dict[str, Any]:
    answer = await client.patch(PATH, json=patch)
    assert answer.status_code == 200, answer.text
    job: dict[str, Any] = answer.json()
    return job


@pytest.mark.parametrize("media_type", ["application/json", "application/merge-patch+json"])
async def test_what_is_left_out_stays(client: AsyncClient, media_type: str) -> None:
    before = await create(client, description="old", labels={"a": "1"})
    answer = await client.patch(PATH, content=b'{"schedule": "0 4 * * *"}', headers={"Content-Type": media_type})
    job = answer.json()
    assert (job["schedule"], job["version"]) == ("0 4 * * *", 2)
    computed = {"schedule", "version", "next_run", "updated_at"}
    assert {name: job[name] for name in job.keys() - computed} == {
        name: before[name] for name in before.keys() - computed
    }


async def test_null_goes_back_to_the_default(client: AsyncClient) -> None:
    await create(
        client,
        timezone="Asia/Tokyo",
        day_rule="and",
        description="old",
        labels={"a": "1"},
        method="PUT",
        headers={"X-A": "1"},
        body={"a": 1},
        timeout_seconds=5,
        starts_at="2030-01-01T00:00:00Z",
        ends_at="2031-01-01T00:00:00Z",
    )
    names = "timezone day_rule description labels method headers body timeout_seconds starts_at ends_at enabled"
    job = await patched(client, dict.fromkeys(names.split()))
    assert {name: job[name] for name in names.split()} == {
        "timezone": "UTC",
        "day_rule": "or",
        "description": "",
        "labels": {},
        "method": "POST",
        "headers": {},
        "body": None,
        "timeout_seconds": 30,
        "starts_at": None,
        "ends_at": None,
        "enabled": True,
    }


async def test_objects_are_merged_and_their_nulls_remove(client: AsyncClient) -> None:
    await create(client, labels={"a": "1", "b": "2"}, headers={"X-A": "1", "X-B": "2"}, body={"a": {"b": 1, "c": 2}})
    job = await patched(
        client,
        {"labels": {"a": None, "c": "3"}, "headers": {"X-A": None}, "body": {"a": {"b": None}, "d": [None]}},
    )
    assert job["labels"] == {"b": "2", "c": "3"}
    assert job["headers"] == {"X-B": "2"}
    assert job["body"] == {"a": {"c": 2}, "d": [None]}


@pytest.mark.parametrize("field", ["schedule", "endpoint", "name"])
async def test_null_where_a_value_is_required_is_refused(client: AsyncClient, field: str) -> None:
    await create(client)
    assert problem(await client.patch(PATH, json={field: None}), 422, "invalid-input")["field"] == field


async def test_an_empty_patch_changes_nothing(client: AsyncClient) -> None:
    before = await create(client)
    assert await patched(client, {}) == before


async def test_a_job_keeps_its_name(client: AsyncClient) -> None:
    await create(client)
    assert (await patched(client, {"name": "nightly"}))["version"] == 1
    assert problem(await client.patch(PATH, json={"name": "other"}), 422, "invalid-input")["field"] == "name"


async def test_the_merged_job_keeps_the_limits(client: AsyncClient) -> None:
    await create(client, labels={f"k{number}": "" for number in range(60)})
    answer = await client.patch(PATH, json={"labels": {f"n{number}": "" for number in range(5)}})
    assert problem(answer, 422, "invalid-input")["field"] == "labels"
    assert len((await client.get(PATH)).json()["labels"]) == 60


async def test_a_new_schedule_keeps_the_zone(client: AsyncClient) -> None:
    await create(client, timezone="Asia/Tokyo")
    assert (await patched(client, {"schedule": "0 5 * * *"}))["timezone"] == "Asia/Tokyo"


async def test_a_new_schedule_may_bring_its_zone(client: AsyncClient) -> None:
    await create(client, timezone="Asia/Tokyo")
    job = await patched(client, {"schedule": " TZ=Europe/Berlin 0 5 * * *"})
    assert job["timezone"] == "Europe/Berlin"
    assert (await patched(client, {"description": "x"}))["timezone"] == "Europe/Berlin"
    assert (await patched(client, {"timezone": None}))["timezone"] == "Europe/Berlin"
    problem(await client.patch(PATH, json={"timezone": "Asia/Tokyo"}), 422, "invalid-schedule")


async def test_an_adopted_job_is_mended_by_a_patch(client: AsyncClient, database: Database) -> None:
    now = datetime.now(UTC)
    async with transaction(database) as tx:
        job = await tx.jobs.add(
            JobDefinition(name="nightly", schedule="61 * * * *", endpoint=None),
            uid=uuid7(),
            anchor=now,
            problem="minute: '61' is out of range.",
            created_at=now,
            updated_at=now,
        )
        await tx.versions.begin([job], now)
    shown = (await client.get(PATH)).json()
    assert (shown["endpoint"], shown["next_run"]) == (None, None)
    assert "61" in shown["problem"]
    assert (await client.get(f"{PATH}/next")).json() == {"items": []}
    said = problem(await client.patch(PATH, json={"schedule": "1 * * * *"}), 422, "invalid-input")
    assert said["field"] == "endpoint"
    mended = await patched(client, {"schedule": "1 * * * *", "endpoint": "http://example.com/"})
    assert mended["problem"] is None
    assert mended["next_run"]


@pytest.mark.parametrize(
    ("target", "patch", "expected"),
    [  # RFC 7396, appendix A
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, None, None),
        ({"a": "foo"}, "bar", "bar"),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_the_merge_is_that_of_the_rfc(target: object, patch: object, expected: object) -> None:
    assert merge(target, patch) == expected
