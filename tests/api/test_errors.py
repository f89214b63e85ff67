from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient

from app.api.body_limit import MAX_BODY
from app.db.engine import Database, connect
from app.domain.errors import CronledgerError
from app.target.address import Targets
from app.target.reach import Reach
from tests.api.building import JOB, build_app, build_scheduler, build_services, client_of, create, problem
from tests.servers.process import free_port


async def test_an_unknown_path_is_a_problem(client: AsyncClient) -> None:
    for path in ("/", "/v1", "/v1/job", "/v1/runs/", "/nothing/%2F%00", "/v1/jobs/a/b/c"):
        said = problem(await client.get(path), 404, "not-found")
        assert said["instance"] == path


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/v1/jobs", "GET, POST"),
        ("POST", "/v1/jobs/a", "DELETE, GET, PATCH, PUT"),
        ("GET", "/v1/jobs/a/pause", "POST"),
        ("DELETE", "/v1/runs", "GET"),
        ("OPTIONS", "/v1/jobs/a%2Fb", "DELETE, GET, PATCH, PUT"),
        ("BREW", "/v1/scheduler", "GET"),
    ],
)
async def test_another_method_is_a_problem_that_names_those_there_are(
    client: AsyncClient, method: str, path: str, allowed: str
) -> None:
    answer = await client.request(method, path)
    problem(answer, 405, "method-not-allowed")
    assert answer.headers["allow"] == allowed


@pytest.mark.parametrize("text", ["{", "", "{'a': 1}", '{"a": 1} x', "\xff", '{"name": "a'])
async def test_a_body_that_is_not_json_is_a_problem(client: AsyncClient, text: str) -> None:
    answer = await client.post("/v1/jobs", content=text.encode("latin-1"), headers={"Content-Type": "application/json"})
    problem(answer, *((422, "invalid-input") if text == "" else (400, "malformed-body")))


async def test_an_endless_number_is_a_problem(client: AsyncClient) -> None:
    text = json.dumps(JOB)[:-1] + f', "body": {"9" * 10_000}}}'
    problem(
        await client.post("/v1/jobs", content=text, headers={"Content-Type": "application/json"}), 400, "malformed-body"
    )


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", None])
async def test_a_body_of_another_media_type_is_a_problem(client: AsyncClient, media_type: str | None) -> None:
    headers = {} if media_type is None else {"Content-Type": media_type}
    answer = await client.post("/v1/jobs", content=json.dumps(JOB).encode(), headers=headers)
    said = problem(answer, 415, "unsupported-media-type")
    assert "application/json" in said["remedy"]


async def chunks(size: int) -> AsyncIterator[bytes]:
    for _ in range(size // 1024):
        yield b" " * 1024


@pytest.mark.parametrize("announced", [True, False])
async def test_a_body_that_is_too_large_is_a_problem(client: AsyncClient, *, announced: bool) -> None:
    size = MAX_BODY + 1024
    content: Any = b" " * size if announced else chunks(size)
    answer = await client.post("/v1/jobs", content=content, headers={"Content-Type": "application/json"})
    problem(answer, 413, "body-too-large")


async def test_a_body_within_the_limit_is_read(client: AsyncClient) -> None:
    text = json.dumps(JOB).encode().ljust(MAX_BODY)
    answer = await client.post("/v1/jobs", content=text, headers={"Content-Type": "application/json"})
    assert answer.status_code == 201


@pytest.mark.parametrize("length", ["9" * 5000, "-1", "x", "", "٣"])
async def test_a_strange_length_does_no_harm(api: FastAPI, length: str) -> None:
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"{}", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/jobs",
        "raw_path": b"/v1/jobs",
        "query_string": b"",
        "headers": [(b"content-length", length.encode("utf-8")), (b"content-type", b"application/json")],
    }
    await api(scope, receive, send)
    assert sent[0]["status"] == (413 if len(length) > 10 else 422)


async def test_the_service_says_when_its_database_is_away() -> None:
    database = connect(f"postgresql://nobody@127.0.0.1:{free_port()}/none")
    async with client_of(build_app(build_services(database, build_scheduler(database), auth=False))) as client:
        for method, path in [("GET", "/v1/jobs"), ("POST", "/v1/jobs"), ("DELETE", "/v1/jobs/a"), ("GET", "/v1/runs")]:
            answer = await client.request(method, path, json=JOB if method == "POST" else None)
            said = problem(answer, 503, "store-unavailable")
            assert said["remedy"]
            assert int(answer.headers["retry-after"]) > 0
        bad = await client.post("/v1/jobs", json=JOB | {"schedule": "61 * * * *"})
        problem(bad, 422, "invalid-schedule")
        assert (await client.get("/v1/entries")).status_code == 200
    await database.close()


async def test_targets_that_may_not_be_called_are_refused(database: Database) -> None:
    services = build_services(database, build_scheduler(database), Reach(Targets.PUBLIC))
    async with client_of(build_app(services)) as client:
        said = problem(
            await client.post("/v1/jobs", json=JOB | {"endpoint": "http://127.0.0.1/"}), 422, "refused-target"
        )
        assert said["field"] == "endpoint"
        await create(client)
        answer = await client.patch("/v1/jobs/nightly", json={"endpoint": "http://localhost/"})
        problem(answer, 422, "refused-target")


async def test_what_nobody_expected_tells_no_internals(api: FastAPI) -> None:
    @api.get("/broken")
    async def broken() -> None:
        raise RuntimeError("password: hunter2")

    @api.get("/unmapped")
    async def unmapped() -> None:
        raise CronledgerError("something new")

    async with client_of(api, raises=False) as client:
        answer = await client.get("/broken")
        problem(answer, 500, "internal-error")
        assert "hunter2" not in answer.text
        problem(await client.get("/unmapped"), 500, "internal-error")
