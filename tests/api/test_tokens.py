"""Tokens of an identity provider over HTTP, beside API keys."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from httpx2 import AsyncClient

from app.domain.access import Scope
from app.domain.clock import SystemClock
from app.identity.key_source import KeySource
from app.identity.tokens import TokenReader
from app.identity.trust import Trust
from app.service.access import AccessService
from app.service.services import Services
from tests.api.building import build_app, client_of, known_by, problem
from tests.servers.provider import AUDIENCE, ISSUER, Provider, claims, signed

TRUST = Trust(issuer=ISSUER, audience=AUDIENCE, algorithms=("ES256",), claim="scope", scopes={})


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    provider = Provider()
    await provider.start()
    yield provider
    await provider.stop()


@pytest.fixture
async def trusting(services: Services, provider: Provider) -> AsyncIterator[AsyncClient]:
    tokens = TokenReader(TRUST, KeySource(provider.url, SystemClock()), SystemClock())
    access = AccessService(*known_by(services.database), tokens=tokens)
    async with client_of(build_app(replace(services, access=access))) as client:
        yield client


def bearer(provider: Provider, scope: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {signed(provider.keys['one'], claims(time.time(), scope=scope))}"}


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
