"""Who may do what over HTTP."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts
from httpx2 import ASGITransport, AsyncClient, Response
from sqlalchemy import select

from app.api.guarded import Guarded
from app.api.needs import NEEDS, NOBODY_ASKED
from app.db.engine import Database
from app.db.tables import idempotency_keys
from app.domain.access import Scope
from app.service.access import AccessService
from app.service.services import Services
from tests.api.building import ADMIN, JOB, build_app, client_of, known_by, problem
from tests.api.streaming import current, streaming

HERE = ("127.0.0.1", 8000)


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


async def made(admin: AsyncClient, *scopes: str, **more: Any) -> dict[str, Any]:
    answer = await admin.post("/v1/keys", json={"name": "ci", "scopes": list(scopes)} | more)
    assert answer.status_code == 201, answer.text
    assert answer.headers["cache-control"] == "no-store"
    told: dict[str, Any] = answer.json()
    assert answer.headers["location"] == f"/v1/keys/{told['id']}"
    return told


async def test_a_key_is_made_used_changed_and_revoked(admin: AsyncClient) -> None:
    key = await made(admin, "jobs:read", expires_at="2099-01-01T00:00:00Z")
    its = bearer(key.pop("key"))
    assert (await admin.get("/v1/jobs", headers=its)).status_code == 200
    read = (await admin.get(f"/v1/keys/{key['id']}")).json()
    assert read.pop("last_used_at") is not None
    assert key.pop("last_used_at") is None
    assert read == key
    changed = await admin.patch(f"/v1/keys/{key['id']}", json={"scopes": ["runs:read", "runs:read"], "name": "cd"})
    assert (changed.json()["name"], changed.json()["scopes"]) == ("cd", ["runs:read"])
    said = problem(await admin.get("/v1/jobs", headers=its), 403, "forbidden")
    assert said["detail"] == "cd may not do this: it takes the scope jobs:read."
    revoked = await admin.post(f"/v1/keys/{key['id']}/revoke")
    assert revoked.json()["revoked_at"] is not None
    assert (await admin.get("/v1/runs", headers=its)).status_code == 401
    assert [each["name"] for each in (await admin.get("/v1/keys")).json()["items"]] == ["bootstrap", "cd"]


async def test_keys_are_read_in_pages(admin: AsyncClient) -> None:
    ids = [(await made(admin, "jobs:read"))["id"] for _ in range(2)]
    first = (await admin.get("/v1/keys?limit=2")).json()
    rest = (await admin.get("/v1/keys", params={"limit": 2, "cursor": first["next_cursor"]})).json()
    assert [each["id"] for each in first["items"][1:] + rest["items"]] == ids
    assert rest["next_cursor"] is None


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "", "scopes": ["admin"]}, "name"),
        ({"name": "ci"}, "scopes"),
        ({"name": "ci", "scopes": []}, "scopes"),
        ({"name": "ci", "scopes": ["jobs:delete"]}, "scopes.0"),
        ({"name": "ci", "scopes": ["admin"], "expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
        ({"name": "ci", "scopes": ["admin"], "key": "mine"}, "key"),
    ],
)
async def test_a_key_that_can_not_be_made(admin: AsyncClient, body: dict[str, Any], field: str) -> None:
    assert problem(await admin.post("/v1/keys", json=body), 422, "invalid-input")["field"] == field


async def test_a_key_that_there_is_not(admin: AsyncClient) -> None:
    path = "/v1/keys/01a1062a-0000-7000-8000-000000000000"
    for answer in (
        await admin.get(path),
        await admin.patch(path, json={"name": "x"}),
        await admin.post(f"{path}/revoke"),
    ):
        problem(answer, 404, "key-not-found")


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Bearer ", "Bearer x", f"Bearer {ADMIN}x", f"Basic {ADMIN}", ADMIN, "Bearer \xff" * 9],
)
async def test_what_is_no_key_that_is_known(admin: AsyncClient, authorization: str) -> None:
    answer = await admin.get("/v1/jobs", headers=[(b"Authorization", authorization.encode("latin-1"))])
    problem(answer, 401, "unauthenticated")
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_the_scheme_may_be_in_any_case(admin: AsyncClient) -> None:
    assert (await admin.get("/v1/jobs", headers={"Authorization": f"bearer  {ADMIN}"})).status_code == 200


def test_every_operation_says_what_it_needs(api: FastAPI) -> None:
    routes = [context.original_route for context in iter_route_contexts(api.routes)]
    served = {route.operation_id for route in routes if isinstance(route, APIRoute)}
    assert all(isinstance(route, Guarded) for route in routes if isinstance(route, APIRoute))
    assert served == NEEDS.keys() | NOBODY_ASKED
    for path in api.openapi()["paths"].values():
        for operation in path.values():
            scope = NEEDS.get(operation["operationId"])
            assert operation["security"] == ([] if scope is None else [{"key": [scope]}])
            assert {"401", "403"} <= operation["responses"].keys() or scope is None


async def test_no_operation_is_carried_out_without_its_scope(services: Services, admin: AsyncClient) -> None:
    """Each with no key, with one that has every scope but the one it needs, and with that alone."""
    app = build_app(services)
    app.state.open_operations = frozenset()
    async with client_of(app) as client:
        for method, path, operation in operations(app):
            needed = NEEDS[operation]
            others = [scope for scope in Scope if scope not in (needed, Scope.ADMIN)]
            problem(await sent(client, method, path, None), 401, "unauthenticated")
            lacking = (await made(admin, *others))["key"]
            said = problem(await sent(client, method, path, lacking), 403, "forbidden")
            assert str(needed) in said["detail"]
            if operation != "streamEvents":
                answer = await sent(client, method, path, (await made(admin, needed))["key"])
                assert answer.status_code not in (401, 403), (operation, answer.text)


def operations(app: FastAPI) -> list[tuple[str, str, str]]:
    return [
        (method, path.replace("{", "").replace("}", ""), operation["operationId"])
        for path, item in app.openapi()["paths"].items()
        for method, operation in item.items()
        if operation["operationId"] not in NOBODY_ASKED
    ]


async def sent(client: AsyncClient, method: str, path: str, key: str | None) -> Response:
    return await client.request(method, path, headers={} if key is None else bearer(key))


async def test_probes_and_metrics_need_no_key(admin: AsyncClient) -> None:
    del admin.headers["Authorization"]
    assert (await admin.get("/livez")).status_code == 200
    assert (await admin.get("/readyz")).status_code in (200, 503)
    assert (await admin.get("/metrics")).status_code == 200


@pytest.mark.usefixtures("admin")
async def test_metrics_may_need_one(services: Services) -> None:
    app = build_app(services)
    app.state.open_operations = frozenset()
    async with client_of(app) as client:
        problem(await client.get("/metrics"), 401, "unauthenticated")
        assert (await client.get("/metrics", headers=bearer(ADMIN))).status_code == 200


async def test_a_repeated_request_is_answered_to_who_sent_it_alone(admin: AsyncClient) -> None:
    once = {"Idempotency-Key": "nightly-1"}
    assert (await admin.post("/v1/jobs", json=JOB, headers=once)).status_code == 201
    assert (await admin.post("/v1/jobs", json=JOB, headers=once)).status_code == 201
    other = (await made(admin, "jobs:write"))["key"]
    problem(await admin.post("/v1/jobs", json=JOB, headers=once | bearer(other)), 409, "name-taken")
    problem(
        await admin.post("/v1/jobs", json=JOB, headers=once | {"Authorization": "Bearer x"}), 401, "unauthenticated"
    )


async def test_a_new_key_is_not_kept_to_be_told_again(admin: AsyncClient, database: Database) -> None:
    body = {"name": "ci", "scopes": ["jobs:read"]}
    keys = [(await admin.post("/v1/keys", json=body, headers={"Idempotency-Key": "k"})).json()["key"] for _ in range(2)]
    assert keys[0] != keys[1]
    async with database.read() as connection:
        assert (await connection.execute(select(idempotency_keys))).all() == []


async def test_a_stream_tells_nothing_to_a_key_that_is_revoked(api: FastAPI, admin: AsyncClient) -> None:
    key = await made(admin, "runs:read")
    async with streaming(api, **bearer(key["key"])) as stream:
        assert await stream.frame() == {"retry": "1000"}
        await current(stream)
        await admin.post(f"/v1/keys/{key['id']}/revoke")
        await admin.post("/v1/jobs", json=JOB)
        assert await stream.piece() == ""


@pytest.mark.parametrize(
    ("server", "headers", "status"),
    [
        (HERE, {}, 200),
        (("::1", 8000), {}, 200),
        (("/run/cronledger.sock", None), {}, 200),
        (HERE, {"Host": "127.0.0.1:8000"}, 200),
        (HERE, {"Host": "[::1]:8000"}, 200),
        (HERE, {"X-Forwarded-For": "127.0.0.1"}, 200),
        (HERE, {"Sec-Fetch-Site": "same-origin"}, 200),
        (("10.0.0.5", 8000), {}, 401),
        (("0.0.0.0", 8000), {}, 401),  # noqa: S104  # nothing listens
        (HERE, {"Host": "rebound.example"}, 401),
        (HERE, {"Host": "[::1"}, 401),
        (HERE, {"X-Forwarded-For": "203.0.113.9, 127.0.0.1"}, 401),
        (HERE, {"X-Forwarded-For": ""}, 401),
        (HERE, {"Forwarded": "for=203.0.113.9"}, 401),
        (HERE, {"Via": "1.1 proxy"}, 401),
        (HERE, {"X-Real-IP": "203.0.113.9"}, 401),
        (HERE, {"X-Forwarded-Host": "cron.example"}, 401),
        (HERE, {"X-Forwarded-Host": "localhost:8080"}, 200),
        (HERE, {"Host": "cron.example@localhost"}, 401),
        (HERE, {"Host": "localhost", "Origin": "http://localhost"}, 200),
        (HERE, {"Host": "localhost", "Origin": "https://evil.example"}, 401),
        (HERE, {"Origin": "null"}, 401),
        (HERE, {"Sec-Fetch-Site": "cross-site"}, 401),
        (HERE, {"Sec-Fetch-Site": "same-site"}, 401),
    ],
)
async def test_without_any_key_this_machine_alone_is_served(
    api: FastAPI, server: tuple[str, int | None], headers: dict[str, str], status: int
) -> None:
    async def reached(scope: Any, receive: Any, send: Any) -> None:
        await api(scope | {"server": server}, receive, send)

    async with AsyncClient(transport=ASGITransport(reached), base_url="http://localhost") as client:
        answer = await client.get("/v1/jobs", headers=headers)
    assert answer.status_code == status, answer.text
    if status == 401:
        assert "cronledger keys create" in problem(answer, 401, "unauthenticated")["remedy"]


async def test_two_hosts_are_none(api: FastAPI) -> None:
    async def reached(scope: Any, receive: Any, send: Any) -> None:
        await api(scope | {"server": HERE, "headers": [*scope["headers"], (b"host", b"cron.example")]}, receive, send)

    async with AsyncClient(transport=ASGITransport(reached), base_url="http://localhost") as client:
        problem(await client.get("/v1/jobs"), 401, "unauthenticated")


async def test_where_nobody_is_asked_what_they_send_does_not_matter(services: Services) -> None:
    access = AccessService(*known_by(services.database), required=False)
    async with client_of(build_app(replace(services, access=access))) as client:
        for told in ("Basic dXNlcjpwYXNz", "Bearer x"):
            assert (await client.get("/v1/jobs", headers={"Authorization": told})).status_code == 200


async def test_who_may_write_jobs_may_not_let_targets_go_unverified(admin: AsyncClient) -> None:
    its = bearer((await made(admin, "jobs:write"))["key"])
    unverified = JOB | {"tls": {"verify": False}}
    for answer in (
        await admin.post("/v1/jobs", json=unverified, headers=its),
        await admin.put("/v1/jobs/nightly", json=unverified, headers=its),
    ):
        assert problem(answer, 403, "forbidden")["field"] == "tls.verify"
    assert (await admin.post("/v1/jobs", json=unverified)).status_code == 201
    answer = await admin.patch("/v1/jobs/nightly", json={"endpoint": "https://other.example/"}, headers=its)
    problem(answer, 403, "forbidden")
    for path in ("pause", "resume"):
        assert (await admin.post(f"/v1/jobs/nightly/{path}", headers=its)).status_code == 200
    assert (await admin.put("/v1/jobs/nightly", json=unverified, headers=its)).status_code == 200, "nothing is new"
    verified = await admin.patch("/v1/jobs/nightly", json={"tls": {"verify": True}}, headers=its)
    assert verified.json()["tls"] == {"client_certificate": None, "verify": True}
