"""Ways in that a stranger may try, and those of somebody who may do less."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from httpx2 import ASGITransport, AsyncClient
from joserfc.jwk import ECKey, RSAKey

from app.db.transaction import transaction
from app.domain.access import Scope
from app.domain.clock import SystemClock
from app.identity.key_source import KeySource
from app.identity.tokens import TokenReader
from app.identity.trust import Trust
from app.service.access import AccessService
from app.service.keys import key_of, new_key
from app.service.services import Services
from tests.api.building import JOB, build_app, client_of, known_by
from tests.hostile import forged
from tests.hostile.credentials import ADMIN, AUTHORIZATIONS, ELSEWHERE, FAR, LESS, NEARBY, OUT, OVERRIDES
from tests.hostile.verdicts import stored, verdict
from tests.servers.provider import AUDIENCE, ISSUER, Provider, rsa_key

HERE, THERE = ("127.0.0.1", 8000), ("10.0.0.5", 8000)
TRUST = Trust(issuer=ISSUER, audience=AUDIENCE, algorithms=("ES256", "RS256"), claim="scope", scopes={})


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@pytest.fixture
async def stranger(services: Services, admin: AsyncClient) -> AsyncIterator[AsyncClient]:
    """Who has no key, where there is one."""
    await admin.put("/v1/jobs/old", json=JOB | {"name": "old"})
    async with client_of(build_app(services), raises=False) as client:
        yield client


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    provider = Provider()
    provider.keys |= {"rsa": rsa_key("rsa")}
    await provider.start()
    yield provider
    await provider.stop()


@pytest.fixture
async def trusting(services: Services, provider: Provider) -> AsyncIterator[AsyncClient]:
    tokens = TokenReader(TRUST, KeySource(provider.url, SystemClock()), SystemClock())
    access = AccessService(*known_by(services.database), tokens=tokens)
    async with client_of(build_app(replace(services, access=access)), raises=False) as client:
        yield client


async def test_a_key_is_shown_in_one_way(stranger: AsyncClient) -> None:
    assert len(AUTHORIZATIONS) > 80
    found = {
        told: await verdict(stranger, "GET", "/v1/jobs", headers=[("Authorization", told)]) for told in AUTHORIZATIONS
    }
    assert {told[:80]: said for told, said in found.items() if said != AUTHORIZATIONS[told]} == {}


async def test_a_key_is_shown_in_one_place(stranger: AsyncClient) -> None:
    found = {name: await verdict(stranger, "GET", path, headers=sent) for name, (path, sent) in ELSEWHERE.items()}
    assert {name: said for name, said in found.items() if said != OUT} == {}
    form = {"access_token": ADMIN, "client_secret": ADMIN}
    assert await verdict(stranger, "POST", "/v1/jobs", data=form) == OUT
    assert await verdict(stranger, "POST", "/v1/jobs", json=JOB | {"key": ADMIN}) == OUT


async def test_of_two_keys_neither_counts(stranger: AsyncClient) -> None:
    for other in (f"Bearer {ADMIN}", "Bearer x", "", "Basic dXNlcjpwYXNz"):
        for told in ([f"Bearer {ADMIN}", other], [other, f"Bearer {ADMIN}"]):
            headers = [("Authorization", each) for each in told]
            assert await verdict(stranger, "GET", "/v1/jobs", headers=headers) == OUT, told


async def test_a_key_that_was_good_once_is_none(stranger: AsyncClient, services: Services, admin: AsyncClient) -> None:
    expired = new_key()
    async with transaction(services.database) as tx:
        now = await tx.time()
        await tx.api_keys.add(key_of(expired, "expired", frozenset({Scope.ADMIN}), now, now))
    revoked, told = await services.keys.create("revoked", frozenset({Scope.ADMIN}))
    renewed, lessened = await services.keys.create("lessened", frozenset({Scope.ADMIN}))
    for key in (told, lessened):
        assert await verdict(stranger, "GET", "/v1/keys", headers=bearer(key)) == "200"
    assert await verdict(admin, "POST", f"/v1/keys/{revoked.id}/revoke") == "200"
    assert await verdict(admin, "PATCH", f"/v1/keys/{renewed.id}", json={"scopes": ["jobs:read"]}) == "200"
    before = await stored(admin)
    for method, path in (("GET", "/v1/jobs"), ("GET", "/v1/keys"), ("DELETE", "/v1/jobs/old"), ("POST", "/v1/keys")):
        for key in (told, expired):
            assert await verdict(stranger, method, path, headers=bearer(key)) == OUT
    assert await verdict(stranger, "GET", "/v1/keys", headers=bearer(lessened)) == LESS
    assert await verdict(stranger, "PATCH", f"/v1/keys/{renewed.id}", headers=bearer(lessened), json={}) == LESS
    assert await stored(admin) == before


async def test_no_header_makes_a_key_do_more(stranger: AsyncClient, services: Services, admin: AsyncClient) -> None:
    _, reading = await services.keys.create("reading", frozenset({Scope.JOBS_READ}))
    before = await stored(admin)
    found = {
        name: await verdict(stranger, method, path, headers=[("Authorization", f"Bearer {reading}"), *sent])
        for name, (method, path, sent, _) in OVERRIDES.items()
    }
    assert {name: said for name, said in found.items() if said != OVERRIDES[name][3]} == {}
    assert await stored(admin) == before


@pytest.mark.parametrize("kind", ["algorithms", "headers", "claims", "scopes", "forms"])
async def test_no_token_counts_but_those_of_the_provider(
    trusting: AsyncClient, provider: Provider, services: Services, kind: str
) -> None:
    one, rsa, now = provider.keys["one"], provider.keys["rsa"], time.time()
    assert isinstance(one, ECKey)
    assert isinstance(rsa, RSAKey)
    tokens = {
        "algorithms": lambda: forged.of_algorithms(one, rsa, now),
        "headers": lambda: forged.of_headers(one, now),
        "claims": lambda: forged.of_claims(one, now),
        "scopes": lambda: forged.of_scopes(one, now),
        "forms": lambda: forged.of_forms(one, now),
    }[kind]()
    assert len(tokens) > 20
    found = {
        name: await verdict(trusting, "GET", "/v1/jobs", headers=bearer(token)) for name, (token, _) in tokens.items()
    }
    assert {name: said for name, said in found.items() if said != tokens[name][1]} == {}
    assert provider.asked < 3
    assert await services.keys.all() == []


def reached(services: Services, server: tuple[str, int]) -> AsyncClient:
    """At an address of the service, before there is any key."""
    app = build_app(services)

    async def at(scope: Any, receive: Any, send: Any) -> None:
        await app(scope | {"server": server}, receive, send)

    return AsyncClient(transport=ASGITransport(at, raise_app_exceptions=False), base_url="http://localhost")


async def test_nobody_elsewhere_passes_for_nearby(services: Services) -> None:
    async with reached(services, THERE) as client:
        found = [(sent, await verdict(client, "POST", "/v1/jobs", headers=sent, json=JOB)) for sent in FAR]
    assert [each for each in found if each[1] != OUT] == []
    async with reached(services, HERE) as client:
        assert (await client.get("/v1/jobs")).json()["items"] == []


@pytest.mark.parametrize("header", ["Host", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP"])
async def test_names_of_this_machine_are_read_strictly(services: Services, header: str) -> None:
    async with reached(services, HERE) as client:
        found = {name: await verdict(client, "GET", "/v1/jobs", headers=[(header, name.encode())]) for name in NEARBY}
        chain = {"X-Forwarded-For": "127.0.0.1, 203.0.113.9, 127.0.0.1"}
        assert await verdict(client, "GET", "/v1/jobs", headers=chain) == OUT
    assert {name: said for name, said in found.items() if said != NEARBY[name]} == {}
