"""What a target says of an attempt, and jobs that let it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from httpx2 import AsyncClient
from sqlalchemy import update

from app.config import Settings
from app.db.engine import Database
from app.db.tables import job_runs
from app.domain.callback import digest
from app.service.jobs import JobService
from app.service.services import Services
from app.target.address import Targets
from app.target.reach import Reach
from tests.api.building import JOB, NO_SUCH_RUN, build_app, client_of, create, problem
from tests.api.test_runs import trigger

TOKEN = "t" * 43
EVERY = "0.0.0.0"  # noqa: S104  # nothing listens
ASYNC = {"async_completion": {"timeout_seconds": 600.0}}


@pytest.fixture
async def run(client: AsyncClient, database: Database) -> dict[str, Any]:
    """One that waits for its callback."""
    await create(client, **ASYNC)
    run = await trigger(client)
    async with database.begin() as connection:
        values = {"state": "waiting", "attempt": 1, "fence": 1, "callback_token": digest(TOKEN)}
        values |= {"started_at": database.now, "called_at": database.now, "callback_seconds": 600}
        await connection.execute(update(job_runs).values(values))
    return run


def path(run: dict[str, Any], token: str = TOKEN) -> str:
    return f"/v1/callbacks/{run['id']}/{token}"


async def read(client: AsyncClient, run: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = (await client.get(f"/v1/runs/{run['id']}")).json()
    return found


async def test_a_job_says_that_its_target_calls_back(client: AsyncClient) -> None:
    assert (await create(client, name="plain"))["async_completion"] is None
    job = await create(client, **ASYNC)
    assert job["async_completion"] == {"timeout_seconds": 600.0}
    assert (await client.get("/v1/jobs/nightly")).json() == job
    changed = await client.patch("/v1/jobs/nightly", json={"async_completion": {"timeout_seconds": 5}})
    assert changed.json()["async_completion"] == {"timeout_seconds": 5.0}
    cleared = await client.patch("/v1/jobs/nightly", json={"async_completion": None})
    assert cleared.json()["async_completion"] is None


@pytest.mark.parametrize(
    ("value", "field"),
    [
        ({}, "async_completion.timeout_seconds"),
        ({"timeout_seconds": 0}, "async_completion.timeout_seconds"),
        ({"timeout_seconds": -1}, "async_completion.timeout_seconds"),
        ({"timeout_seconds": 30 * 86400 + 1}, "async_completion.timeout_seconds"),
        ({"timeout_seconds": "5"}, "async_completion.timeout_seconds"),
        ({"timeout_seconds": None}, "async_completion.timeout_seconds"),
        ({"timeout_seconds": 5, "url": "x"}, "async_completion.url"),
        (True, "async_completion"),
        (600, "async_completion"),
    ],
)
async def test_a_bad_async_completion_is_named(client: AsyncClient, value: Any, field: str) -> None:
    said = problem(await client.post("/v1/jobs", json=JOB | {"async_completion": value}), 422, "invalid-input")
    assert said["field"] == field


async def test_a_service_that_does_not_know_its_address_refuses_such_jobs(
    services: Services, database: Database
) -> None:
    services = Services(
        **{name: getattr(services, name) for name in services.__slots__ if name != "jobs"},
        jobs=JobService(database, services.scheduler, Reach(Targets.ANY), reachable=False),
    )
    async with client_of(build_app(services)) as client:
        await create(client)
        for answer in (
            await client.post("/v1/jobs", json=JOB | {"name": "other"} | ASYNC),
            await client.put("/v1/jobs/other", json=JOB | {"name": "other"} | ASYNC),
            await client.patch("/v1/jobs/nightly", json=ASYNC),
        ):
            said = problem(answer, 422, "invalid-input")
            assert said["field"] == "async_completion"
            assert "CRONLEDGER_PUBLIC_URL" in said["remedy"]


@pytest.mark.parametrize(
    ("settings", "reached_at"),
    [
        ({}, "http://127.0.0.1:8000"),
        ({"host": "10.0.0.7", "port": 80}, "http://10.0.0.7:80"),
        ({"host": "::1"}, "http://[::1]:8000"),
        ({"host": EVERY}, None),
        ({"host": "::"}, None),
        ({"port": 0}, None),
        ({"host": EVERY, "public_url": "https://cron.example/"}, "https://cron.example"),
        ({"public_url": "https://cron.example/sub/path"}, "https://cron.example/sub/path"),
    ],
)
def test_the_address_is_what_was_said_or_where_the_service_listens(
    settings: dict[str, Any], reached_at: str | None
) -> None:
    assert Settings(**settings).reached_at == reached_at


@pytest.mark.parametrize("url", ["cron.example", "ftp://a/", "http://", "http://a b/", "http://u:p@a/", "http://a/?b"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="public_url"):
        Settings(public_url=url)


async def test_a_success_ends_the_run(client: AsyncClient, run: dict[str, Any]) -> None:
    answer = await client.post(path(run), json={"status": "succeeded", "result": "1,204 rows"})
    assert (answer.status_code, answer.content) == (204, b"")
    ended = await read(client, run)
    assert (ended["state"], ended["response_excerpt"], ended["error"]) == ("succeeded", "1,204 rows", None)
    assert "succeeded" in problem(await client.post(path(run), json={"status": "failed"}), 409, "conflict")["detail"]


async def test_a_failure_says_why(client: AsyncClient, run: dict[str, Any]) -> None:
    assert (await client.post(path(run), json={"status": "failed", "error": "disk full"})).status_code == 204
    ended = await read(client, run)
    assert (ended["state"], ended["error"]) == ("failed", "callback: disk full")
    assert (await client.get("/v1/jobs/nightly")).json()["last_error"] == "callback: disk full"


async def test_a_heartbeat_extends_the_time(client: AsyncClient, run: dict[str, Any]) -> None:
    assert (await client.post(path(run), json={"status": "heartbeat"})).status_code == 204
    waiting = await read(client, run)
    assert (waiting["state"], waiting["finished_at"]) == ("waiting", None)
    assert waiting["due_at"] > run["due_at"]


async def test_a_waiting_run_is_found_by_its_state_and_canceled_at_once(
    client: AsyncClient, run: dict[str, Any]
) -> None:
    assert [each["id"] for each in (await client.get("/v1/runs?state=waiting")).json()["items"]] == [run["id"]]
    answer = await client.post(f"/v1/runs/{run['id']}/cancel")
    assert (answer.status_code, answer.json()["state"]) == (200, "canceled")
    problem(await client.post(path(run), json={"status": "succeeded"}), 409, "conflict")


@pytest.mark.parametrize("token", ["x", "T" * 43, "%FF", "%00", "a%2Fb", digest(TOKEN)])
async def test_a_wrong_token_is_answered_as_a_run_that_is_not_there(
    client: AsyncClient, run: dict[str, Any], token: str
) -> None:
    said = {"status": "succeeded"}
    details = set()
    for run_id in (run["id"], NO_SUCH_RUN, UUID(int=0), UUID(int=2**128 - 1)):
        answer = await client.post(path({"id": run_id}, token), json=said)
        details.add(problem(answer, 404, "callback-not-found")["detail"])
    assert len(details) == 1
    assert (await read(client, run))["state"] == "waiting"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "status"),
        ({"status": "done"}, "status"),
        ({"status": None}, "status"),
        ({"status": "failed", "error": "x" * 301}, "error"),
        ({"status": "failed", "error": "a\0"}, "error"),
        ({"status": "succeeded", "result": "x" * 2049}, "result"),
        ({"status": "succeeded", "result": {"rows": 1}}, "result"),
        ({"status": "succeeded", "more": 1}, "more"),
        ([], "body"),
    ],
)
async def test_a_bad_callback_is_named_and_ends_nothing(
    client: AsyncClient, run: dict[str, Any], body: Any, field: str
) -> None:
    assert problem(await client.post(path(run), json=body), 422, "invalid-input")["field"] == field
    assert (await read(client, run))["state"] == "waiting"


async def test_a_callback_that_is_no_json_is_refused(client: AsyncClient, run: dict[str, Any]) -> None:
    as_json = {"Content-Type": "application/json"}
    problem(await client.post(path(run), content=b"{", headers=as_json), 400, "malformed-body")
    problem(
        await client.post(path(run), content=b"{}", headers={"Content-Type": "text/plain"}),
        415,
        "unsupported-media-type",
    )
    problem(await client.post(path(run), content=b" " * 2**21, headers=as_json), 413, "body-too-large")
