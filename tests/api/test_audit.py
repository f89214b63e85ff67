"""GET /v1/audit: who changed what."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient, Response

from app.api.needs import NEEDS
from app.api.schemas.calendar import ICALENDAR
from tests.api.building import JOB, problem

CANARY = "c4n4ry-in-the-mine"
BACKFILL = {"since": "2026-01-01T00:00:00Z", "until": "2026-01-03T00:00:00Z"}


async def lines(admin: AsyncClient, **query: Any) -> list[dict[str, Any]]:
    answer = await admin.get("/v1/audit", params=query)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def done(answer: Response) -> Any:
    assert answer.is_success, answer.text
    return answer.json() if answer.content else None


async def test_a_change_has_a_line_that_says_who_and_what(admin: AsyncClient) -> None:
    made = await done(await admin.post("/v1/jobs", json=JOB, headers={"X-Request-Id": "req-1"}))
    changed = await admin.patch("/v1/jobs/nightly", json={"schedule": "@daily"})
    deleted = await admin.delete("/v1/jobs/nightly")
    gone, edited, created, first = await lines(admin)
    [key] = (await admin.get("/v1/keys")).json()["items"]
    assert (first["action"], first["actor"], first["actor_id"]) == ("key.create", "CRONLEDGER_BOOTSTRAP_KEY", None)
    assert [each["action"] for each in (created, edited, gone)] == ["job.create", "job.change", "job.delete"]
    for each in (created, edited, gone):
        assert (each["actor"], each["actor_id"], each["address"]) == ("bootstrap", key["id"], "127.0.0.1")
        assert (each["subject"], each["subject_id"]) == ("nightly", made["id"])
    assert created["before"] is None
    assert created["after"]["endpoint"] == JOB["endpoint"]
    assert (edited["before"]["schedule"], edited["after"]["schedule"]) == (JOB["schedule"], "@daily")
    assert (gone["before"]["schedule"], gone["after"]) == ("@daily", None)
    told = [answer.headers["x-request-id"] for answer in (changed, deleted)]
    assert [created["request_id"], edited["request_id"], gone["request_id"]] == ["req-1", *told]


async def test_where_nobody_needs_a_key_the_line_says_anybody(client: AsyncClient) -> None:
    await done(await client.post("/v1/jobs", json=JOB))
    [line] = await lines(client)
    assert (line["actor"], line["actor_id"], line["address"]) == ("anybody", None, "127.0.0.1")


async def test_what_was_refused_or_changed_nothing_has_no_line(admin: AsyncClient) -> None:
    await done(await admin.post("/v1/jobs", json=JOB))
    before = await lines(admin)
    problem(await admin.post("/v1/jobs", json=JOB), 409, "name-taken")
    await done(await admin.put("/v1/jobs/nightly", json=JOB))
    await done(await admin.patch("/v1/jobs/nightly", json={}))
    await done(await admin.patch("/v1/jobs/nightly?dry_run=true", json={"schedule": "@daily"}))
    await done(await admin.post("/v1/scheduler/resume"))
    problem(await admin.delete("/v1/limits/none"), 404, "limit-not-found")
    assert await lines(admin) == before


async def test_no_line_holds_a_credential(admin: AsyncClient) -> None:
    hidden = {
        "endpoint": f"http://example.com/hook?access_token={CANARY}",
        "headers": {"Authorization": f"Bearer {CANARY}"},
        "body": {"login": {"password": CANARY}},
        "notify": [{"on": ["failure"], "endpoint": "http://example.com/n", "headers": {"X-Api-Key": CANARY}}],
    }
    answer = await admin.post("/v1/jobs", json=JOB | hidden)
    assert answer.status_code == 201, answer.text
    await done(await admin.patch("/v1/jobs/nightly", json={"headers": {"Cookie": CANARY}}))
    key = await done(await admin.post("/v1/keys", json={"name": "ci", "scopes": ["admin"]}))
    told = (await admin.get("/v1/audit")).text
    assert CANARY not in told
    assert key["key"] not in told
    assert "***" in told


async def test_a_large_value_is_told_by_its_digest(admin: AsyncClient) -> None:
    await done(await admin.post("/v1/jobs", json=JOB | {"body": "x" * 5000}))
    [line] = await lines(admin, action="job.create")
    assert line["after"]["body"].keys() == {"bytes", "sha256"}


async def test_lines_are_filtered_and_read_in_pages(admin: AsyncClient) -> None:
    for name in ("a", "b", "c"):
        await done(await admin.post("/v1/jobs", json=JOB | {"name": name}))
    first = (await admin.get("/v1/audit?limit=2&action=job.create")).json()
    rest = await lines(admin, limit=2, action="job.create", cursor=first["next_cursor"])
    assert [each["subject"] for each in first["items"] + rest] == ["c", "b", "a"]
    [found] = await lines(admin, subject="b")
    assert [each["subject"] for each in await lines(admin, actor_id=found["actor_id"])] == ["c", "b", "a"]
    assert len(await lines(admin, until="2026-01-01T00:00:00Z")) == 0
    assert len(await lines(admin, since="2026-01-01T00:00:00Z")) == 4
    said = problem(await admin.get("/v1/audit?cursor=WyJqb2JzIiwgImEiXQ"), 422, "invalid-cursor")
    assert said["field"] == "cursor"


@pytest.mark.parametrize("given", ["", "a b", "x" * 65, "ü", "../../etc"])
async def test_a_request_id_that_is_none_is_not_told(admin: AsyncClient, given: str) -> None:
    answer = await admin.get("/livez", headers=[(b"X-Request-Id", given.encode())])
    assert len(answer.headers["x-request-id"]) == 36


READS = {"previewSchedule"}
"""Of those that are sent as POST."""


async def test_every_operation_that_changes_something_has_a_line(api: FastAPI, admin: AsyncClient) -> None:
    changes = {
        operation["operationId"]
        for item in api.openapi()["paths"].values()
        for method, operation in item.items()
        if method != "get" and operation["operationId"] in NEEDS
    }
    assert STEPS.keys() == changes - READS
    told: list[str] = []
    for name, step in STEPS.items():
        before = await lines(admin, limit=1)
        await done(await step(admin))
        after = await lines(admin, limit=1)
        assert after[0]["id"] > before[0]["id"], name
        told.append(str(after))
    assert CANARY not in "".join(told)


async def _run(admin: AsyncClient, action: str) -> Response:
    run = await done(await admin.post("/v1/jobs/nightly/trigger"))
    if action == "retry":
        await done(await admin.post(f"/v1/runs/{run['id']}/cancel"))
    return await admin.post(f"/v1/runs/{run['id']}/{action}")


async def _cancel_backfill(admin: AsyncClient) -> Response:
    made = await done(await admin.post("/v1/jobs/nightly/backfill", json=BACKFILL | {"only_missing": False}))
    return await admin.post(f"/v1/backfills/{made['id']}/cancel")


async def _key(admin: AsyncClient, method: str, path: str, body: Any = None) -> Response:
    made = await done(await admin.post("/v1/keys", json={"name": "ci", "scopes": ["jobs:read"]}))
    return await admin.request(method, f"/v1/keys/{made['id']}{path}", json=body)


_PUT = {"schedule": "@weekly", "endpoint": JOB["endpoint"]}
_FILE = {"Content-Type": "text/calendar"}
STEPS: dict[str, Callable[[AsyncClient], Awaitable[Response]]] = {
    "createJob": lambda admin: admin.post("/v1/jobs", json=JOB),
    "putJob": lambda admin: admin.put("/v1/jobs/nightly", json=_PUT),
    "patchJob": lambda admin: admin.patch("/v1/jobs/nightly", json={"schedule": "@daily"}),
    "pauseJob": lambda admin: admin.post("/v1/jobs/nightly/pause"),
    "resumeJob": lambda admin: admin.post("/v1/jobs/nightly/resume"),
    "triggerJob": lambda admin: admin.post("/v1/jobs/nightly/trigger"),
    "cancelRun": lambda admin: _run(admin, "cancel"),
    "retryRun": lambda admin: _run(admin, "retry"),
    "createBackfill": lambda admin: admin.post("/v1/jobs/nightly/backfill", json=BACKFILL),
    "cancelBackfill": _cancel_backfill,
    "createCalendar": lambda admin: admin.post("/v1/calendars", json={"name": "holidays"}),
    "putCalendar": lambda admin: admin.put("/v1/calendars/holidays", json={"description": "d"}),
    "importCalendar": lambda admin: admin.post("/v1/calendars/holidays/import", content=ICALENDAR, headers=_FILE),
    "deleteCalendar": lambda admin: admin.delete("/v1/calendars/holidays"),
    "putLimit": lambda admin: admin.put("/v1/limits/warehouse", json={"max_concurrency": 1}),
    "deleteLimit": lambda admin: admin.delete("/v1/limits/warehouse"),
    "pauseScheduler": lambda admin: admin.post("/v1/scheduler/pause"),
    "resumeScheduler": lambda admin: admin.post("/v1/scheduler/resume"),
    "createSecret": lambda admin: admin.post("/v1/secrets", json={"name": "token", "value": CANARY}),
    "putSecret": lambda admin: admin.put("/v1/secrets/token", json={"value": f"{CANARY}!"}),
    "deleteSecret": lambda admin: admin.delete("/v1/secrets/token"),
    "putNamespace": lambda admin: admin.put("/v1/namespaces/billing", json={"max_jobs": 9}),
    "deleteNamespace": lambda admin: admin.delete("/v1/namespaces/billing"),
    "createKey": lambda admin: admin.post("/v1/keys", json={"name": "ci", "scopes": ["jobs:read"]}),
    "patchKey": lambda admin: _key(admin, "PATCH", "", {"name": "cd"}),
    "revokeKey": lambda admin: _key(admin, "POST", "/revoke"),
    "deleteJob": lambda admin: admin.delete("/v1/jobs/nightly"),
}
