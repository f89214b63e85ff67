from __future__ import annotations

from typing import Any

import pytest
from httpx2 import AsyncClient

from tests.api.building import create, problem

KEYS = ["warehouse", "team/db.1_a-b", "a" * 255]


async def _put(client: AsyncClient, key: str = "warehouse", **limit: Any) -> dict[str, Any]:
    answer = await client.put(f"/v1/limits/{key.replace('/', '%2F')}", json=limit)
    assert answer.status_code in (200, 201), answer.text
    said: dict[str, Any] = answer.json()
    return said


@pytest.mark.parametrize("key", KEYS)
async def test_a_limit_is_made_read_changed_and_deleted(client: AsyncClient, key: str) -> None:
    path = f"/v1/limits/{key.replace('/', '%2F')}"
    made = await client.put(path, json={"max_concurrency": 7})
    assert (made.status_code, made.headers["location"]) == (201, path)
    limit = made.json()
    assert limit | {"created_at": "", "updated_at": ""} == {
        "key": key,
        "max_concurrency": 7,
        "rate_per_second": None,
        "in_use": 0,
        "waiting": 0,
        "created_at": "",
        "updated_at": "",
    }
    assert (await client.get(path)).json() == limit
    changed = await client.put(path, json={"rate_per_second": 0.5})
    assert (changed.status_code, changed.json()["created_at"]) == (200, limit["created_at"])
    assert (changed.json()["max_concurrency"], changed.json()["rate_per_second"]) == (None, 0.5)
    assert changed.json()["updated_at"] > limit["updated_at"]
    assert (await client.delete(path)).status_code == 204
    problem(await client.get(path), 404, "limit-not-found")
    problem(await client.delete(path), 404, "limit-not-found")


async def test_limits_are_listed_by_key_a_page_at_a_time(client: AsyncClient) -> None:
    for key in ("b", "c", "a"):
        await _put(client, key, max_concurrency=1)
    first = (await client.get("/v1/limits", params={"limit": 2})).json()
    assert [limit["key"] for limit in first["items"]] == ["a", "b"]
    second = await client.get("/v1/limits", params={"limit": 2, "cursor": first["next_cursor"]})
    assert [limit["key"] for limit in second.json()["items"]] == ["c"]
    assert second.json()["next_cursor"] is None
    assert "link" not in second.headers


@pytest.mark.parametrize("key", ["cronledger:catch-up", "a b", "%2Fa", "a" * 256])
async def test_a_key_that_no_job_can_have_is_refused(client: AsyncClient, key: str) -> None:
    problem(await client.put(f"/v1/limits/{key}", json={"max_concurrency": 1}), 422, "invalid-input")
    problem(await client.get(f"/v1/limits/{key}"), 422, "invalid-input")
    problem(await client.delete(f"/v1/limits/{key}"), 422, "invalid-input")


@pytest.mark.parametrize(
    ("limit", "field"),
    [
        ({"max_concurrency": -1}, "max_concurrency"),
        ({"max_concurrency": 1.5}, "max_concurrency"),
        ({"max_concurrency": "7"}, "max_concurrency"),
        ({"rate_per_second": 0}, "rate_per_second"),
        ({"rate_per_second": 1e9}, "rate_per_second"),
        ({"max": 7}, "max"),
    ],
)
async def test_a_limit_that_cannot_be_is_refused(client: AsyncClient, limit: dict[str, Any], field: str) -> None:
    assert problem(await client.put("/v1/limits/warehouse", json=limit), 422, "invalid-input")["field"] == field


async def test_whole_numbers_may_be_written_as_json_writes_them(client: AsyncClient) -> None:
    answer = await client.put(
        "/v1/limits/warehouse",
        content='{"max_concurrency": 7.0, "rate_per_second": 2}',
        headers={"content-type": "application/json"},
    )
    assert (answer.json()["max_concurrency"], answer.json()["rate_per_second"]) == (7, 2)


async def test_a_job_names_the_limit(client: AsyncClient) -> None:
    job = await create(client, concurrency_key="warehouse")
    assert job["concurrency_key"] == "warehouse"
