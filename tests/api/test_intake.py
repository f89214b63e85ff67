"""What is taken in: how much, from whom, and what a browser may do with the answer."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from httpx2 import ASGITransport, AsyncClient

from app.api import body_limit
from app.domain.access import Scope
from app.service.keys import bootstrap
from app.service.services import Services
from tests.api.building import ADMIN, JOB, build_app, client_of, problem

PAGE = {"Origin": "https://console.example"}
ASKED = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}
HOST = "service.localhost"


async def test_one_key_may_send_so_many(services: Services) -> None:
    await bootstrap(services.database, ADMIN)
    _, other = await services.keys.create("other", frozenset({Scope.JOBS_READ}))
    async with client_of(build_app(services, rate_per_key=1)) as client:
        statuses = [await sent(client, ADMIN) for _ in range(4)]
        assert statuses == [200, 200, 429, 429]
        assert await sent(client, other) == 200
        answer = await client.get("/v1/jobs", headers=bearer(ADMIN))
        said = problem(answer, 429, "too-many-requests")
        assert said["detail"] == "bootstrap may send 1 requests a second to this replica."
        assert answer.headers["retry-after"] == "1"
        assert (await client.get("/livez")).status_code == 200


async def test_one_address_may_send_so_many_whatever_it_sends(services: Services) -> None:
    await bootstrap(services.database, ADMIN)
    callback = "/v1/callbacks/0193a1b2-c3d4-8e5f-9a0b-1c2d3e4f5a6b/guess"
    for path, status in (("/v1/jobs", 401), (callback, 404), ("/metrics", 200)):
        async with client_of(build_app(services, rate_per_address=1)) as client:
            method, body = ("POST", {"status": "succeeded"}) if path == callback else ("GET", None)
            statuses = [(await client.request(method, path, json=body)).status_code for _ in range(3)]
            assert statuses == [status, status, 429], path
            assert [(await client.get("/readyz")).status_code == 429 for _ in range(5)] == [False] * 5


async def test_who_needs_no_key_is_not_counted(services: Services) -> None:
    async with client_of(build_app(services, rate_per_address=1, rate_per_key=1)) as client:
        assert {(await client.get("/v1/jobs")).status_code for _ in range(5)} == {200}


async def sent(client: AsyncClient, key: str) -> int:
    return (await client.get("/v1/jobs", headers=bearer(key))).status_code


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


async def test_no_page_of_elsewhere_reads_an_answer_unless_it_is_named(services: Services) -> None:
    async with client_of(build_app(services)) as client:
        assert "access-control-allow-origin" not in (await client.get("/v1/jobs", headers=PAGE)).headers
        problem(await client.options("/v1/jobs", headers=PAGE | ASKED), 405, "method-not-allowed")
    async with client_of(build_app(services, origins=("https://console.example",))) as client:
        answer = await client.get("/v1/jobs", headers=PAGE)
        assert answer.headers["access-control-allow-origin"] == "https://console.example"
        assert "access-control-allow-credentials" not in answer.headers
        asked = await client.options("/v1/jobs", headers=PAGE | ASKED)
        assert asked.status_code == 200
        other = await client.get("/v1/jobs", headers={"Origin": "https://evil.example"})
        assert "access-control-allow-origin" not in other.headers


@pytest.mark.parametrize("path", ["/v1/jobs", "/docs", "/docs/start.js", "/openapi.json", "/nothing", "/livez"])
async def test_a_browser_is_told_what_it_must_not_do(client: AsyncClient, path: str) -> None:
    headers = (await client.get(path)).headers
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none';")
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["cache-control"] == "no-store"
    assert "strict-transport-security" not in headers


async def test_over_tls_a_browser_stays_there(services: Services) -> None:
    async with client_of(build_app(services)) as client:
        answer = await client.get(f"https://{HOST}/v1/jobs")
    assert answer.headers["strict-transport-security"].startswith("max-age=")


@pytest.mark.parametrize("number", [2**64, -(2**63) - 1, 10**400, 1e300, -1e19])
async def test_a_number_beyond_64_bits_is_refused(client: AsyncClient, number: float) -> None:
    said = problem(await client.post("/v1/jobs", json=JOB | {"body": [{"n": number}]}), 422, "invalid-input")
    assert (said["field"], said["remedy"]) == ("body", "Send it as a string.")


@pytest.mark.parametrize("number", [2**64 - 1, -(2**63), 1e15, 0.1])
async def test_a_number_of_64_bits_comes_back_as_it_was(client: AsyncClient, number: float) -> None:
    assert (await client.post("/v1/jobs", json=JOB | {"body": {"n": number}})).json()["body"] == {"n": number}


async def test_a_body_that_does_not_come_is_not_waited_for(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body_limit, "SECONDS", 0.05)
    app, told = build_app(services), []
    begun = [{"type": "http.request", "body": b'{"name":', "more_body": True}]

    async def receive() -> dict[str, Any]:
        if begun:
            return begun.pop()
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Any) -> None:
        told.append(message)

    headers = [(b"host", HOST.encode()), (b"content-type", b"application/json")]
    scope: dict[str, Any] = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/v1/jobs",
    }
    scope |= {"path": "/v1/jobs", "raw_path": b"/v1/jobs", "query_string": b"", "root_path": "", "headers": headers}
    async with asyncio.timeout(10):
        await app(scope | {"server": ("127.0.0.1", 80), "client": ("127.0.0.1", 1)}, receive, send)
    assert told[0]["status"] == 408
    assert (b"connection", b"close") in told[0]["headers"]


@pytest.mark.parametrize("address", ["x" * 65, "", "a b", "203.0.113.9:80"])
async def test_what_is_no_address_is_told_as_unknown(services: Services, address: str) -> None:
    app = build_app(services)

    async def reached(scope: Any, receive: Any, send: Any) -> None:
        await app(scope | {"client": (address, 1)}, receive, send)

    async with AsyncClient(transport=ASGITransport(reached), base_url=f"http://{HOST}") as client:
        assert (await client.post("/v1/jobs", json=JOB)).status_code == 201
        [line] = (await client.get("/v1/audit")).json()["items"]
    assert line["address"] == "unknown"


async def test_a_network_of_ipv6_is_counted_as_one(services: Services) -> None:
    await bootstrap(services.database, ADMIN)
    app, statuses = build_app(services, rate_per_address=1), []
    for number in range(4):

        async def reached(scope: Any, receive: Any, send: Any, number: int = number) -> None:
            await app(scope | {"client": (f"2001:db8::{number}", 1)}, receive, send)

        async with AsyncClient(transport=ASGITransport(reached), base_url=f"http://{HOST}") as client:
            statuses.append((await client.get("/v1/jobs")).status_code)
    assert statuses == [401, 401, 429, 429]


async def test_what_nobody_expected_has_the_headers_of_any_answer(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(services.limits, "page", fails)
    async with client_of(build_app(services), raises=False) as client:
        answer = await client.get("/v1/limits")
    problem(answer, 500, "internal-error")
    assert {"x-request-id", "content-security-policy", "x-content-type-options"} <= answer.headers.keys()
