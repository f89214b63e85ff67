from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
from fastapi import FastAPI
from httpx2 import ASGITransport, AsyncClient

from app.domain.job import JobDefinition
from app.service.services import Services
from tests.api.building import JOB, create, problem

NAMES = [
    "a/b",
    "a//b",
    "/",
    "ä ö",
    "100%",
    "%2F",
    "next",
    "runs",
    "..",
    ".",
    "a?b",
    "a#b",
    "a+b",
    "a\\b",
    "x" * 255,
    "🙂",
]


def path_of(name: str) -> str:
    return "/v1/jobs/" + (name.replace(".", "%2E") if set(name) == {"."} else quote(name, safe=""))


async def adopt(services: Services, name: str) -> None:
    """As a row of another program may be named; the API itself refuses such names."""
    await services.jobs.create(JobDefinition(name=name, schedule="0 3 * * *", endpoint="http://example.com/"))


@pytest.mark.parametrize("name", NAMES)
async def test_a_job_is_reached_by_any_name(client: AsyncClient, services: Services, name: str) -> None:
    await adopt(services, name)
    path = path_of(name)
    assert (await client.get(path)).json()["name"] == name
    assert (await client.patch(path, json={"description": "x"})).json()["description"] == "x"
    fields = {field: value for field, value in JOB.items() if field != "name"}
    assert (await client.put(path, json=fields | {"name": name})).json()["version"] == 3
    assert (await client.post(f"{path}/pause")).json()["enabled"] is False
    assert (await client.post(f"{path}/resume")).json()["enabled"] is True
    assert len((await client.get(f"{path}/next")).json()["items"]) == 10
    run = (await client.post(f"{path}/trigger")).json()
    assert run["job_name"] == name
    assert [item["id"] for item in (await client.get(f"{path}/runs")).json()["items"]] == [run["id"]]
    assert len((await client.get(f"{path}/spans")).json()["items"]) == 1
    assert (await client.delete(path)).status_code == 204
    problem(await client.get(path), 404, "job-not-found")


async def test_names_that_differ_in_encoding_alone_are_one(client: AsyncClient) -> None:
    await create(client, name="a.b-c_d")
    assert (await client.get("/v1/jobs/%61%2Eb%2Dc%5Fd")).json()["name"] == "a.b-c_d"
    assert (await client.get("/v1/j%6Fbs/a.b-c_d")).status_code == 200


async def test_a_slash_that_is_not_encoded_separates(client: AsyncClient, services: Services) -> None:
    await adopt(services, "a/b")
    problem(await client.get("/v1/jobs/a/b"), 404, "not-found")
    problem(await client.get("/v1/jobs/"), 404, "not-found")
    problem(await client.get("/v1/jobs//next"), 404, "not-found")


async def test_a_page_of_a_job_with_an_odd_name_leads_to_the_next(client: AsyncClient, services: Services) -> None:
    await adopt(services, "a/ö")
    runs = [(await client.post("/v1/jobs/a%2F%C3%B6/trigger")).json()["id"] for _ in range(2)]
    first = await client.get("/v1/jobs/a%2F%C3%B6/runs", params={"limit": 1})
    second = await client.get(first.links["next"]["url"])
    assert {first.json()["items"][0]["id"], second.json()["items"][0]["id"]} == set(runs)


async def test_a_path_is_told_below_the_root_of_a_proxy(api: FastAPI) -> None:
    async def below(scope: Any, receive: Any, send: Any) -> None:
        """As a server does that is told its root path."""
        paths = {"path": "/cron" + scope["path"], "raw_path": b"/cron" + scope["raw_path"]}
        await api(scope | paths | {"root_path": "/cron"}, receive, send)

    async with AsyncClient(transport=ASGITransport(below), base_url="http://service.localhost") as client:
        made = await client.post("/v1/jobs", json=JOB)
        assert made.headers["location"] == "/cron/v1/jobs/nightly"
        await create(client, name="other")
        page = await client.get("/v1/jobs?limit=1")
        assert page.headers["link"].startswith("</cron/v1/jobs?limit=1&cursor=")
        run = await client.post("/v1/jobs/nightly/trigger")
        assert run.headers["location"] == f"/cron/v1/runs/{run.json()['id']}"


async def test_a_server_that_tells_no_raw_path_will_do(api: FastAPI) -> None:
    async def plain(scope: Any, receive: Any, send: Any) -> None:
        await api({name: value for name, value in scope.items() if name != "raw_path"}, receive, send)

    async with AsyncClient(transport=ASGITransport(plain), base_url="http://service.localhost") as client:
        await create(client)
        assert (await client.get("/v1/jobs/nightly")).status_code == 200
