from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from httpx2 import AsyncClient
from structlog.testing import capture_logs

from app.db.engine import connect
from tests.api.building import JOB, build_app, build_scheduler, build_services, client_of, create, problem
from tests.servers.process import free_port

BAD: list[tuple[dict[str, Any], str | None]] = [
    ({"name": ""}, "name"),
    ({"name": "-a"}, "name"),
    ({"name": "a/b"}, "name"),
    ({"name": "a\n"}, "name"),
    ({"name": "ä"}, "name"),
    ({"name": "x" * 256}, "name"),
    ({"name": 1}, "name"),
    ({"schedule": ""}, "schedule"),
    ({"schedule": "x" * 1025}, "schedule"),
    ({"schedule": "0 3 * * *\0"}, "schedule"),
    ({"schedule": None}, "schedule"),
    ({"endpoint": "http://example.com/" + "x" * 2048}, "endpoint"),
    ({"endpoint": "http://example.com/\0"}, "endpoint"),
    ({"endpoint": None}, "endpoint"),
    ({"timezone": None}, "timezone"),
    ({"timezone": "\ud800"}, "timezone"),
    ({"day_rule": "xor"}, "day_rule"),
    ({"enabled": "true"}, "enabled"),
    ({"enabled": 1}, "enabled"),
    ({"description": "x" * 4097}, "description"),
    ({"description": "a\0b"}, "description"),
    ({"description": "\udfff"}, "description"),
    ({"labels": {"a": 1}}, "labels.a"),
    ({"labels": {"a": None}}, "labels.a"),
    ({"labels": {"a": "x" * 256}}, "labels.a"),
    ({"labels": {"a": "\0"}}, "labels.a"),
    ({"labels": {"": "x"}}, "labels."),
    ({"labels": {"a:b": "x"}}, "labels.a:b"),
    ({"labels": {"x" * 64: "x"}}, f"labels.{'x' * 64}"),
    ({"labels": {"\ud800": "x"}}, None),
    ({"labels": {f"k{number}": "" for number in range(65)}}, "labels"),
    ({"labels": ["a"]}, "labels"),
    ({"method": "TRACE"}, "method"),
    ({"method": 1}, "method"),
    ({"headers": {"X-A": 1}}, "headers.X-A"),
    ({"headers": {"X-A": "a\0"}}, "headers.X-A"),
    ({"headers": {"X A": "a"}}, "headers.X A"),
    ({"headers": {"Host": "a"}}, "headers.Host"),
    ({"headers": {"X-A": "\ud800"}}, "headers.X-A"),
    ({"headers": {"X-A": "x" * 8190}}, "headers"),
    ({"headers": {f"X-{number}": "" for number in range(65)}}, "headers"),
    ({"body": {"a": ["b\0"]}}, "body"),
    ({"body": {"a\0": 1}}, "body"),
    ({"body": {"a": ["\ud800"]}}, "body"),
    ({"body": {"\ud800": 1}}, "body"),
    ({"timeout_seconds": 0}, "timeout_seconds"),
    ({"timeout_seconds": -1}, "timeout_seconds"),
    ({"timeout_seconds": 3600.5}, "timeout_seconds"),
    ({"timeout_seconds": "30"}, "timeout_seconds"),
    ({"timeout_seconds": True}, "timeout_seconds"),
    ({"timeout_seconds": None}, "timeout_seconds"),
    ({"starts_at": "2027-01-01T00:00:00"}, "starts_at"),
    ({"starts_at": "2027-01-01"}, "starts_at"),
    ({"starts_at": "2027-02-29T00:00:00Z"}, "starts_at"),
    ({"starts_at": "2027-01-01T24:30:00Z"}, "starts_at"),
    ({"starts_at": "1969-12-31T23:59:59Z"}, "starts_at"),
    ({"starts_at": "0001-01-01T00:00:00+14:00"}, "starts_at"),
    ({"ends_at": "9999-12-31T23:59:59-14:00"}, "ends_at"),
    ({"ends_at": "2100-01-01T00:00:00Z"}, "ends_at"),
    ({"ends_at": 1893456000}, "ends_at"),
    ({"ends_at": "1893456000"}, "ends_at"),
    ({"starts_at": "2030-01-02T00:00:00Z", "ends_at": "2030-01-01T00:00:00Z"}, "ends_at"),
    ({"id": "0193a1b2-0000-7000-8000-000000000001"}, "id"),
    ({"shedule": "0 3 * * *"}, "shedule"),
]


@pytest.fixture
async def detached() -> AsyncIterator[AsyncClient]:
    """Over a database that is away: who asks it anything gets 503."""
    database = connect(f"postgresql://nobody@127.0.0.1:{free_port()}/none")
    async with client_of(build_app(build_services(database, build_scheduler(database), auth=False))) as opened:
        yield opened
    await database.close()


@pytest.mark.parametrize(("changes", "field"), BAD, ids=[f"{field}-{index}" for index, (_, field) in enumerate(BAD)])
async def test_a_bad_field_is_named(detached: AsyncClient, changes: dict[str, Any], field: str | None) -> None:
    answer = await detached.post(
        "/v1/jobs", content=json.dumps(JOB | changes), headers={"Content-Type": "application/json"}
    )
    said = problem(answer, 422, "invalid-input")
    if field is not None:
        assert said["field"] == field
        assert field in {error["field"] for error in said["errors"]}


async def test_every_bad_field_is_told(detached: AsyncClient) -> None:
    answer = await detached.post(
        "/v1/jobs", json={"name": "a/b", "schedule": "* * * * *", "extra": 1, "timeout_seconds": 0}
    )
    said = problem(answer, 422, "invalid-input")
    assert {error["field"] for error in said["errors"]} == {"name", "endpoint", "extra", "timeout_seconds"}
    assert all(error["message"] for error in said["errors"])


async def test_why_the_database_is_away_is_logged(detached: AsyncClient) -> None:
    with capture_logs() as logged:
        answer = await detached.get("/v1/jobs")
    problem(answer, 503, "store-unavailable")
    [told] = [entry for entry in logged if entry["event"] == "the database is away"]
    assert (told["path"], "refused" in told["cause"].lower()) == ("/v1/jobs", True)


async def test_a_fault_comes_with_its_remedy(detached: AsyncClient) -> None:
    said = problem(
        await detached.post("/v1/jobs", json=JOB | {"starts_at": "2027-01-01T00:00:00"}), 422, "invalid-input"
    )
    assert "offset" in said["detail"]
    assert "Add Z" in said["remedy"]
    assert said["errors"][0]["remedy"] == said["remedy"]


@pytest.mark.parametrize(
    ("changes", "kind", "field"),
    [
        ({"schedule": "61 * * * *"}, "invalid-schedule", "schedule"),
        ({"schedule": "0 0 30 2 *"}, "never-fires", "schedule"),
        ({"schedule": "0 3 * * *", "ends_at": "2000-01-01T00:00:00Z"}, "never-fires", "schedule"),
        ({"timezone": "Berlin"}, "unknown-timezone", "timezone"),
        ({"timezone": "localtime"}, "unknown-timezone", "timezone"),
        ({"endpoint": "ftp://example.com/"}, "invalid-endpoint", "endpoint"),
        ({"endpoint": "http://example.com\\@127.0.0.1/"}, "invalid-endpoint", "endpoint"),
        ({"endpoint": "http://169.254.169.254/"}, "refused-target", "endpoint"),
    ],
)
async def test_the_kind_of_fault_is_told(client: AsyncClient, changes: dict[str, Any], kind: str, field: str) -> None:
    said = problem(await client.post("/v1/jobs", json=JOB | changes), 422, kind)
    assert said["field"] == field
    assert said["remedy"]


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
@pytest.mark.parametrize("field", ["timeout_seconds", "body"])
async def test_numbers_that_json_does_not_have_are_refused(detached: AsyncClient, field: str, number: str) -> None:
    text = json.dumps(JOB)[:-1] + f', "{field}": {number}}}'
    answer = await detached.post("/v1/jobs", content=text, headers={"Content-Type": "application/json"})
    assert problem(answer, 422, "invalid-input")["field"] == field


@pytest.mark.parametrize("depth", [64, 65, 500, 5_000, 100_000])
async def test_a_deep_body_does_no_harm(client: AsyncClient, depth: int) -> None:
    text = json.dumps(JOB)[:-1] + ', "body": ' + "[" * depth + "]" * depth + "}"
    answer = await client.post("/v1/jobs", content=text, headers={"Content-Type": "application/json"})
    if depth == 64:
        assert answer.status_code == 201
        assert (await client.get("/v1/jobs/nightly")).json()["body"] == json.loads("[" * depth + "]" * depth)
    else:
        assert answer.status_code in {400, 422}
        problem(answer, answer.status_code, "malformed-body" if answer.status_code == 400 else "invalid-input")


@pytest.mark.parametrize(
    "path",
    [
        "/v1/jobs/a%00b",
        "/v1/jobs/%ff",
        "/v1/jobs/%00/runs",
        "/v1/jobs?q=%00",
        "/v1/jobs?label=a:%00",
        "/v1/runs?cursor=%00",
    ],
)
async def test_nul_and_broken_text_are_refused_in_paths_and_queries(detached: AsyncClient, path: str) -> None:
    problem(await detached.get(path), 422, "invalid-input")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=x", "limit"),
        ("enabled=yes", "enabled"),
        ("enabled=1", "enabled"),
        ("enabled=", "enabled"),
        ("label=a", "label.0"),
        ("label=:b", "label.0"),
        ("label=a:1&label=a:2", "label"),
        ("enabledd=true", "enabledd"),
        (f"q={'x' * 256}", "q"),
    ],
)
async def test_a_bad_filter_of_jobs_is_named(detached: AsyncClient, query: str, field: str) -> None:
    assert problem(await detached.get(f"/v1/jobs?{query}"), 422, "invalid-input")["field"] == field


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("state=done", "state"),
        ("trigger=cron", "trigger"),
        ("job_id=1", "job_id"),
        ("since=2027-01-01", "since"),
        ("since=1798761600", "since"),
        ("since=2027-01-01T00:00:00+01:00", "since"),
        ("until=2027-01-01T00:00:00", "until"),
        ("until=10000-01-01T00:00:00Z", "until"),
        ("job=x", "job"),
    ],
)
async def test_a_bad_filter_of_runs_is_named(detached: AsyncClient, query: str, field: str) -> None:
    assert problem(await detached.get(f"/v1/runs?{query}"), 422, "invalid-input")["field"] == field


async def test_a_body_that_grows_as_it_is_stored_is_refused(client: AsyncClient) -> None:
    text = json.dumps(JOB)[:-1] + f', "body": [{",".join(["1e15"] * 30_000)}]}}'
    answer = await client.post("/v1/jobs", content=text, headers={"Content-Type": "application/json"})
    assert problem(answer, 422, "invalid-input")["field"] == "body"


@pytest.mark.parametrize("body", [b"[]", b'"a"', b"null", b"1"])
async def test_a_body_that_is_no_object_is_refused(detached: AsyncClient, body: bytes) -> None:
    for method, path in [("POST", "/v1/jobs"), ("PUT", "/v1/jobs/nightly"), ("PATCH", "/v1/jobs/nightly")]:
        answer = await detached.request(method, path, content=body, headers={"Content-Type": "application/json"})
        assert problem(answer, 422, "invalid-input")["field"] == "body"


async def test_a_lower_case_method_is_understood(client: AsyncClient) -> None:
    assert (await create(client, method="get"))["method"] == "GET"
