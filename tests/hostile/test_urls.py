"""Endpoints through the real API of a real process: what can be known at the door is refused at the door."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from tests.hostile.urls import INVALID, LITERALS, NO_URL, PARSERS, REFUSED, TAKEN
from tests.servers.replica import Replica, Replicas

JOB: dict[str, Any] = {"schedule": "@manual", "endpoint": "http://good.example/"}
ALL = LITERALS | PARSERS


@pytest.fixture
async def replica(database_url: str, replicas: Replicas) -> AsyncIterator[Replica]:
    started = await replicas.start(database_url, {"TARGETS": "public"})
    yield started
    assert "Traceback" not in started.process.output


@pytest.fixture
async def client(replica: Replica) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=replica.url, timeout=10) as opened:
        yield opened


def told(answer: httpx2.Response, field: str) -> str:
    """The kind of problem, if it names the field and a remedy."""
    said = answer.json()
    kind: str = said["type"].rpartition(":")[2]
    if answer.status_code != 422 or field not in {each["field"] for each in said["errors"]}:
        return f"{answer.status_code} {said}"
    return kind if kind == INVALID or said["remedy"] else f"{kind} without a remedy"


async def test_what_may_not_be_called_is_no_job(client: httpx2.AsyncClient) -> None:
    assert len(ALL) > 140
    created = {
        url: told(await client.post("/v1/jobs", json=JOB | {"name": "new", "endpoint": url}), "endpoint") for url in ALL
    }
    assert {url: kind for url, kind in created.items() if kind != ALL[url]} == {}
    assert (await client.get("/v1/jobs")).json()["items"] == []


async def test_what_may_not_be_called_does_not_become_one(client: httpx2.AsyncClient) -> None:
    before = (await client.put("/v1/jobs/old", json=JOB)).json()
    patched = {url: told(await client.patch("/v1/jobs/old", json={"endpoint": url}), "endpoint") for url in ALL}
    assert {url: kind for url, kind in patched.items() if kind != ALL[url]} == {}
    noticed = {}
    for url in ALL:
        notify = [{"on": ["failure"], "endpoint": url}]
        noticed[url] = told(await client.put("/v1/jobs/old", json=JOB | {"notify": notify}), "notify.0.endpoint")
    assert {url: kind for url, kind in noticed.items() if kind != ALL[url]} == {}
    assert (await client.get("/v1/jobs/old")).json() == before


async def test_what_may_be_called_is_stored_in_its_one_form(client: httpx2.AsyncClient) -> None:
    stored = {}
    for number, url in enumerate(TAKEN):
        answer = await client.post("/v1/jobs", json=JOB | {"name": f"job-{number}", "endpoint": url})
        stored[url] = answer.json().get("endpoint", answer.text)
    assert stored == TAKEN


async def test_the_operators_lists_count_at_the_door(sqlite_url: str, replicas: Replicas) -> None:
    lists = {"TARGETS": "public", "TARGETS_ALLOW": "10.0.0.0/8 *.localhost", "TARGETS_DENY": ":22, *.bad.example"}
    replica = await replicas.start(sqlite_url, lists)
    wanted = {
        "http://10.0.0.1/": None,
        "http://a.localhost/": None,
        "http://localhost/": REFUSED,
        "http://192.168.0.1/": REFUSED,
        "http://10.0.0.1:22/": REFUSED,
        "http://good.example:22/": REFUSED,
        "http://a.bad.example/": REFUSED,
        "http://A.BAD.example./": REFUSED,
        "http://bad.example/": None,
        "http://169.254.169.254/": REFUSED,
        "http://10.1/": NO_URL,
    }
    async with httpx2.AsyncClient(base_url=replica.url, timeout=10) as client:
        answers = {url: await client.put("/v1/jobs/a", json=JOB | {"endpoint": url}) for url in wanted}
    found = {url: None if answer.is_success else told(answer, "endpoint") for url, answer in answers.items()}
    assert found == wanted
