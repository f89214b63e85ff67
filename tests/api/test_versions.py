from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from httpx2 import AsyncClient

from app.api import cursors
from app.db.engine import Database
from tests.api.building import PAGE_KEY, create, problem
from tests.api.test_pages import FORGED, walk

VERSIONS = "/v1/jobs/nightly/versions"


async def versions(client: AsyncClient, path: str = VERSIONS) -> list[dict[str, Any]]:
    answer = await client.get(path)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def test_each_change_of_a_job_is_a_version_newest_first(client: AsyncClient) -> None:
    await create(client, max_runs=5)
    await client.patch("/v1/jobs/nightly", json={"schedule": "0 4 * * *"})
    await client.post("/v1/jobs/nightly/pause")
    third, second, first = await versions(client)
    assert [each["version"] for each in (first, second, third)] == [1, 2, 3]
    assert [each["definition"]["schedule"] for each in (first, second, third)] == [
        "30 3 * * *",
        "0 4 * * *",
        "0 4 * * *",
    ]
    assert [each["definition"]["enabled"] for each in (first, second, third)] == [True, True, False]
    assert (first["effective_until"], second["effective_until"]) == (second["effective_from"], third["effective_from"])
    assert third["effective_until"] is None
    assert first["definition"]["name"] == "nightly"
    assert first["definition"]["policies"] == {"max_runs": 5}
    assert not {"headers", "body"} & set(first["definition"])


async def test_the_calendars_of_a_version_are_told(client: AsyncClient) -> None:
    calendar = {"name": "holidays", "entries": [{"date": "2027-12-24"}]}
    assert (await client.post("/v1/calendars", json=calendar)).status_code == 201
    await create(client, exclude=[{"calendar": "holidays"}])
    [only] = await versions(client)
    assert only["definition"]["calendars"] == {"holidays": 1}


async def test_versions_are_told_by_pages(client: AsyncClient) -> None:
    job = await create(client)
    for hour in range(5):
        await client.patch("/v1/jobs/nightly", json={"schedule": f"0 {hour} * * *"})
    whole = await versions(client)
    assert [each["version"] for each in whole] == [6, 5, 4, 3, 2, 1]
    for limit in (1, 2, 6):
        assert await walk(client, f"{VERSIONS}?limit={limit}") == whole
        assert await walk(client, f"/v1/versions?job_id={job['id']}&limit={limit}") == whole


async def test_versions_of_a_deleted_job_are_read_by_its_id(client: AsyncClient) -> None:
    job = await create(client)
    await client.delete("/v1/jobs/nightly")
    problem(await client.get(VERSIONS), 404, "job-not-found")
    [only] = await versions(client, f"/v1/versions?job_id={job['id']}")
    assert only["effective_until"] is not None
    assert await versions(client, f"/v1/versions?job_id={UUID(int=1)}") == []


async def test_what_a_later_program_stored_is_told_as_it_is(client: AsyncClient, database: Database) -> None:
    await create(client)
    async with database.begin() as connection:
        await connection.exec_driver_sql(
            'UPDATE job_versions SET definition = \'{"schedule": "at dawn", "day_rule": "xor", "moon": {"phase": 1}}\''
        )
    [only] = await versions(client)
    assert (only["definition"]["day_rule"], only["definition"]["moon"]) == ("xor", {"phase": 1})
    assert only["definition"]["name"] is None


async def test_a_job_must_be_named(client: AsyncClient) -> None:
    assert problem(await client.get("/v1/versions"), 422, "invalid-input")["field"] == "job_id"
    assert problem(await client.get("/v1/versions?job_id=nightly"), 422, "invalid-input")["field"] == "job_id"
    problem(await client.get(VERSIONS), 404, "job-not-found")


@pytest.mark.parametrize(
    "cursor", [*FORGED, cursors.encode(PAGE_KEY, "versions", 2**31), cursors.encode(PAGE_KEY, "versions", -1)]
)
async def test_a_forged_cursor_is_refused(client: AsyncClient, cursor: str) -> None:
    await create(client)
    said = problem(await client.get(VERSIONS, params={"cursor": cursor}), 422, "invalid-cursor")
    assert said["field"] == "cursor"
