"""/v1/namespaces, and the header by which operators act in one."""

from __future__ import annotations

from typing import Any

import pytest
from httpx2 import AsyncClient
from sqlalchemy import update

from app.db.engine import Database
from app.db.namespace_tables import namespaces
from app.service.services import Services
from tests.api.building import JOB, build_app, client_of, problem

HEADER = "Cronledger-Namespace"
IN_ACME = {HEADER: "acme"}
BAD: list[Any] = [-1, "1", True, []]
NONE: dict[str, Any] = dict.fromkeys(("max_jobs", "min_interval_seconds", "runs_per_day", "requests_per_second"))
SOME = {"max_jobs": 1, "min_interval_seconds": 60.0, "runs_per_day": 2, "requests_per_second": 100.0}


async def key_in(admin: AsyncClient, namespace: str, *scopes: str) -> dict[str, str]:
    """What somebody sends who has a key there."""
    body = {"name": "ci", "scopes": list(scopes) or ["admin"]}
    answer = await admin.post("/v1/keys", json=body, headers={HEADER: namespace})
    assert answer.status_code == 201, answer.text
    return {"Authorization": f"Bearer {answer.json()['key']}"}


async def test_one_is_made_read_given_quotas_and_deleted(admin: AsyncClient) -> None:
    answer = await admin.put("/v1/namespaces/acme", json={})
    assert (answer.status_code, answer.headers["location"]) == (201, "/v1/namespaces/acme")
    made = answer.json()
    assert {name: made[name] for name in NONE} == NONE
    assert (made["name"], made["jobs"], made["runs_today"]) == ("acme", 0, None)
    answer = await admin.put("/v1/namespaces/acme", json=SOME)
    assert answer.status_code == 200
    assert {name: answer.json()[name] for name in SOME} == SOME
    assert (await admin.post("/v1/jobs", json=JOB, headers=IN_ACME)).status_code == 201
    assert (await admin.post("/v1/jobs/nightly/trigger", headers=IN_ACME)).status_code == 202
    read = (await admin.get("/v1/namespaces/acme")).json()
    assert (read["jobs"], read["runs_today"]) == (1, 1)
    assert [each["name"] for each in (await admin.get("/v1/namespaces")).json()["items"]] == ["acme", "default"]
    said = problem(await admin.delete("/v1/namespaces/acme"), 409, "namespace-in-use")
    assert said["detail"] == "The namespace acme is not empty: jobs 1."
    assert (await admin.delete("/v1/jobs/nightly", headers=IN_ACME)).status_code == 204
    assert (await admin.delete("/v1/namespaces/acme")).status_code == 204
    problem(await admin.get("/v1/namespaces/acme"), 404, "namespace-not-found")
    problem(await admin.put("/v1/namespaces/acme", json={}), 409, "name-taken")
    problem(await admin.get("/v1/jobs", headers=IN_ACME), 403, "forbidden")
    problem(await admin.delete("/v1/namespaces/default"), 409, "namespace-in-use")


async def test_they_are_read_in_pages(admin: AsyncClient) -> None:
    for name in ("b", "a", "e"):
        await admin.put(f"/v1/namespaces/{name}", json={})
    first = (await admin.get("/v1/namespaces?limit=3")).json()
    assert [each["name"] for each in first["items"]] == ["a", "b", "default"]
    rest = (await admin.get("/v1/namespaces", params={"limit": 3, "cursor": first["next_cursor"]})).json()
    assert ([each["name"] for each in rest["items"]], rest["next_cursor"]) == (["e"], None)


@pytest.mark.parametrize(
    ("field", "value"),
    [(name, bad) for name in NONE for bad in BAD]
    + [("requests_per_second", 5e-324)]
    + [(name, 0) for name in ("min_interval_seconds", "requests_per_second")]
    + [("max_jobs", 1.5), ("runs_per_day", 10**10), ("min_interval_seconds", 1e9), ("more", 1)],
)
async def test_quotas_that_are_none(admin: AsyncClient, field: str, value: Any) -> None:
    answer = await admin.put("/v1/namespaces/acme", json={field: value})
    assert problem(answer, 422, "invalid-input")["field"] == field
    problem(await admin.get("/v1/namespaces/acme"), 404, "namespace-not-found")


@pytest.mark.parametrize("name", ["A", "-a", "a-", "a_b", "a" * 64, "a:b", "cronledger"])
async def test_names_that_are_none(admin: AsyncClient, name: str) -> None:
    problem(await admin.put(f"/v1/namespaces/{name}", json={}), 422, "invalid-input")


async def test_an_operator_acts_in_any_and_others_in_their_own(admin: AsyncClient) -> None:
    for name in ("acme", "globex"):
        await admin.put(f"/v1/namespaces/{name}", json={})
    assert (await admin.post("/v1/jobs", json=JOB, headers=IN_ACME)).status_code == 201
    assert (await admin.get("/v1/jobs/nightly")).status_code == 404
    its, other = await key_in(admin, "acme"), await key_in(admin, "default", "jobs:read")
    assert (await admin.get("/v1/jobs/nightly", headers=its)).status_code == 200
    assert (await admin.get("/v1/jobs/nightly", headers=its | IN_ACME)).status_code == 200
    for headers in (its | {HEADER: "default"}, its | {HEADER: "globex"}, other | IN_ACME, {HEADER: "nowhere"}):
        problem(await admin.get("/v1/jobs/nightly", headers=headers), 403, "forbidden")
    assert [each["name"] for each in (await admin.get("/v1/namespaces", headers=its)).json()["items"]] == ["acme"]
    assert (await admin.get("/v1/namespaces/acme", headers=its)).status_code == 200
    problem(await admin.get("/v1/namespaces/globex", headers=its), 404, "namespace-not-found")
    problem(await admin.put("/v1/namespaces/acme", json={}, headers=its), 403, "forbidden")


@pytest.mark.parametrize("told", ["", "A", "default ", "a" * 5000, "acme,globex", "%00", "../default", "\xff"])
async def test_what_names_no_namespace(admin: AsyncClient, told: str) -> None:
    answer = await admin.get("/v1/jobs", headers=[(HEADER.encode(), told.encode("latin-1"))])
    if told:
        problem(answer, 403, "forbidden")
    else:
        assert answer.status_code == 200


async def test_what_is_beyond_a_quota_is_refused(admin: AsyncClient) -> None:
    await admin.put("/v1/namespaces/acme", json=SOME)
    often = JOB | {"schedule": "*/30 * * * * *"}
    said = problem(await admin.post("/v1/jobs", json=often, headers=IN_ACME), 403, "quota-exceeded")
    assert (said["field"], "30 s after" in said["detail"]) == ("schedule", True)
    assert (await admin.post("/v1/jobs", json=JOB, headers=IN_ACME)).status_code == 201
    for answer in (
        await admin.post("/v1/jobs", json=JOB | {"name": "more"}, headers=IN_ACME),
        await admin.post("/v1/jobs?dry_run=true", json=JOB | {"name": "more"}, headers=IN_ACME),
        await admin.put("/v1/jobs/more", json=JOB | {"name": "more"}, headers=IN_ACME),
        await admin.patch("/v1/jobs/nightly", json={"schedule": "*/30 * * * * *"}, headers=IN_ACME),
    ):
        problem(answer, 403, "quota-exceeded")
    for status in (202, 202, 403):
        assert (await admin.post("/v1/jobs/nightly/trigger", headers=IN_ACME)).status_code == status
    assert (await admin.post("/v1/jobs", json=often)).status_code == 201


async def test_requests_of_all_who_act_in_one_are_counted(admin: AsyncClient) -> None:
    await admin.put("/v1/namespaces/acme", json={"requests_per_second": 0.001})
    answer = await admin.get("/v1/jobs", headers=IN_ACME)
    assert answer.status_code == 200
    answer = await admin.get("/v1/runs", headers=IN_ACME)
    assert "The namespace acme may send 0.001 requests" in problem(answer, 429, "too-many-requests")["detail"]
    assert 900 < int(answer.headers["retry-after"]) <= 1000
    assert (await admin.get("/v1/jobs")).status_code == 200


async def test_quotas_of_default_do_not_lock_operators_out(admin: AsyncClient) -> None:
    path = "/v1/namespaces/default"
    for quotas in ({"requests_per_second": 0.001}, {"requests_per_second": 0.001}, {}):
        assert (await admin.put(path, json=quotas)).status_code == 200
    for _ in range(9):
        assert (await admin.get("/v1/jobs")).status_code == 200


async def test_a_single_user_needs_no_key_and_no_header(client: AsyncClient) -> None:
    assert (await client.post("/v1/jobs", json=JOB)).status_code == 201
    assert "namespace" not in (await client.get("/v1/jobs/nightly")).text
    await client.put("/v1/namespaces/acme", json={})
    assert (await client.get("/v1/jobs", headers=IN_ACME)).json()["items"] == []


async def test_a_repeated_request_is_of_one_namespace(admin: AsyncClient) -> None:
    await admin.put("/v1/namespaces/acme", json={})
    once = {"Idempotency-Key": "nightly-1"}
    first = (await admin.post("/v1/jobs", json=JOB, headers=once)).json()
    second = (await admin.post("/v1/jobs", json=JOB, headers=once | IN_ACME)).json()
    assert first["id"] != second["id"]
    assert (await admin.post("/v1/jobs", json=JOB, headers=once | IN_ACME)).json() == second


async def test_what_was_done_in_one_stands_in_its_audit_log(admin: AsyncClient) -> None:
    await admin.put("/v1/namespaces/acme", json=SOME)
    await admin.post("/v1/jobs", json=JOB, headers=IN_ACME)
    own = (await admin.get("/v1/audit")).json()["items"]
    assert [(each["action"], each["subject"]) for each in own] == [
        ("job.create", "acme/nightly"),
        ("namespace.put", "acme"),
        ("key.create", "bootstrap"),
    ]
    assert own[1]["after"] == SOME
    [theirs] = (await admin.get("/v1/audit", headers=IN_ACME)).json()["items"]
    assert (theirs["action"], theirs["subject"]) == ("job.create", "nightly")
    assert (theirs["actor"], theirs["actor_id"], theirs["address"]) == ("an operator", None, None)
    assert theirs["request_id"] == own[0]["request_id"]
    assert (own[0]["actor"], own[0]["address"]) == ("bootstrap", "127.0.0.1")
    its = await key_in(admin, "acme")
    await admin.delete("/v1/jobs/nightly", headers=its)
    [newest, *_] = (await admin.get("/v1/audit", headers=its)).json()["items"]
    assert (newest["action"], newest["actor"], newest["address"]) == ("job.delete", "ci", "127.0.0.1")


async def test_what_concerns_all_is_for_default(services: Services, admin: AsyncClient) -> None:
    await admin.put("/v1/namespaces/acme", json={})
    its = await key_in(admin, "acme")
    app = build_app(services)
    app.state.open_operations = frozenset()
    async with client_of(app) as client:
        for method, path in (
            ("POST", "/v1/scheduler/pause"),
            ("POST", "/v1/scheduler/resume"),
            ("GET", "/v1/replicas"),
            ("GET", "/metrics"),
            ("DELETE", "/v1/namespaces/acme"),
        ):
            said = problem(await client.request(method, path, headers=its), 403, "forbidden")
            assert said["detail"] == "ci may not do this: it concerns all namespaces."
        assert (await client.get("/v1/scheduler", headers=its)).json()["paused"] is False


async def test_a_rate_that_was_set_by_hand_is_waited_for_a_day_at_most(admin: AsyncClient, database: Database) -> None:
    await admin.put("/v1/namespaces/acme", json={})
    async with database.begin() as connection:
        await connection.execute(update(namespaces).values(requests_per_second=5e-324))
    answers = [await admin.get("/v1/jobs", headers=IN_ACME) for _ in range(2)]
    problem(answers[1], 429, "too-many-requests")
    assert answers[1].headers["retry-after"] == "86400"
