"""Tokens of an identity provider over HTTP, beside API keys."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from httpx2 import AsyncClient

from app.domain.access import Scope
from app.domain.clock import SystemClock
from app.domain.namespace import Quotas
from app.identity.key_source import KeySource
from app.identity.tokens import TokenReader
from app.identity.trust import Trust
from app.service.access import AccessService
from app.service.services import Services
from tests.api.building import JOB, build_app, client_of, known_by, problem
from tests.servers.provider import AUDIENCE, ISSUER, Provider, claims, signed

TRUST = Trust(issuer=ISSUER, audience=AUDIENCE, algorithms=("ES256",), claim="scope", scopes={})


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    provider = Provider()
    await provider.start()
    yield provider
    await provider.stop()


@pytest.fixture
def trust() -> Trust:
    return TRUST


@pytest.fixture
async def trusting(services: Services, provider: Provider, trust: Trust) -> AsyncIterator[AsyncClient]:
    tokens = TokenReader(trust, KeySource(provider.url, SystemClock()), SystemClock())
    access = AccessService(*known_by(services.database), tokens=tokens)
    async with client_of(build_app(replace(services, access=access))) as client:
        yield client


def bearer(provider: Provider, scope: str, **more: Any) -> dict[str, str]:
    return {"Authorization": f"Bearer {signed(provider.keys['one'], claims(time.time(), scope=scope, **more))}"}


async def test_a_token_is_as_good_as_a_key(trusting: AsyncClient, provider: Provider, services: Services) -> None:
    assert (await trusting.get("/v1/jobs", headers=bearer(provider, "jobs:read"))).status_code == 200
    said = problem(await trusting.get("/v1/jobs", headers=bearer(provider, "runs:read")), 403, "forbidden")
    assert said["detail"] == "alice may not do this: it takes the scope jobs:read."
    _, key = await services.keys.create("ci", frozenset({Scope.JOBS_READ}))
    assert (await trusting.get("/v1/jobs", headers={"Authorization": f"Bearer {key}"})).status_code == 200


async def test_with_a_provider_nobody_is_let_in_without_either(trusting: AsyncClient, provider: Provider) -> None:
    problem(await trusting.get("/v1/jobs"), 401, "unauthenticated")
    told = bearer(provider, "admin")
    provider.rotate("one")
    said = problem(await trusting.get("/v1/jobs", headers=told), 401, "unauthenticated")
    assert said["detail"].startswith("The token is refused: ")


async def test_while_the_provider_is_away_keys_go_on(
    trusting: AsyncClient, provider: Provider, services: Services
) -> None:
    told = bearer(provider, "admin")
    await provider.stop()
    answer = await trusting.get("/v1/jobs", headers=told)
    problem(answer, 503, "identity-unavailable")
    assert answer.headers["retry-after"] == "2"
    _, key = await services.keys.create("ci", frozenset({Scope.JOBS_READ}))
    assert (await trusting.get("/v1/jobs", headers={"Authorization": f"Bearer {key}"})).status_code == 200


@pytest.mark.parametrize("trust", [replace(TRUST, namespace_claim="org.tenant")])
async def test_a_claim_says_in_which_namespace_its_bearer_acts(
    trusting: AsyncClient, provider: Provider, services: Services
) -> None:
    await services.namespaces.put("acme", Quotas())

    def of(tenant: Any) -> dict[str, str]:
        return bearer(provider, "admin", org={"tenant": tenant})

    assert (await trusting.post("/v1/jobs", json=JOB, headers=of("acme"))).status_code == 201
    assert (await trusting.get("/v1/jobs", headers=of("acme"))).json()["items"][0]["name"] == "nightly"
    assert (await trusting.get("/v1/jobs", headers=of("default"))).json()["items"] == []
    other = of("acme") | {"Cronledger-Namespace": "default"}
    problem(await trusting.get("/v1/jobs", headers=other), 403, "forbidden")
    for nowhere in ("globex", "A", "a\0b", "x" * 5000):
        problem(await trusting.get("/v1/jobs", headers=of(nowhere)), 403, "forbidden")
    for none in ("", None, 7, ["acme"], {"acme": 1}):
        said = problem(await trusting.get("/v1/jobs", headers=of(none)), 401, "unauthenticated")
        assert said["detail"] == "The token is refused: its claim org.tenant names no namespace."
    problem(await trusting.get("/v1/jobs", headers=bearer(provider, "admin")), 401, "unauthenticated")
