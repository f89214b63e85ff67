"""Keys as an operator meets them: the command line, the first start, and two replicas."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from tests.e2e.client import eventually
from tests.e2e.command import cronledger
from tests.servers.provider import AUDIENCE, ISSUER, Provider, claims, signed
from tests.servers.replica import Replica, Replicas
from tests.unit.target.servers import authority, server_tls

EVERYWHERE = "0.0.0.0"  # noqa: S104  # what is refused, and once more with a key
OWN = "an-operators-own-32-random-letters"


async def keys(url: str, *arguments: str, status: int = 0) -> list[str]:
    """What `cronledger keys` printed, line by line."""
    return (await cronledger(url, "keys", *arguments, status=status)).splitlines()


@pytest.fixture
async def provider_over_tls() -> AsyncIterator[Provider]:
    provider = Provider()
    await provider.start(server_tls("valid"))
    yield provider
    await provider.stop()


async def status(replica: Replica, key: str | None, method: str = "GET", path: str = "/v1/jobs") -> int:
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    async with httpx2.AsyncClient() as client:
        return (await client.request(method, f"{replica.url}{path}", headers=headers)).status_code


async def test_a_key_of_the_command_line_holds_until_it_is_revoked_there(database_url: str, replicas: Replicas) -> None:
    replica = await replicas.start(database_url)
    assert "No API key has been made" in replica.process.output
    assert await status(replica, None) == 200
    said, key = await keys(database_url, "create", "deploy", "--scope", "jobs:read", "--scope", "runs:trigger")
    assert re.fullmatch(r"The key [0-9a-f-]{36}, for jobs:read runs:trigger:", said)
    assert await status(replica, key) == 200
    assert await status(replica, key, "DELETE", "/v1/jobs/x") == 403

    async def closed() -> bool:
        return await status(replica, None) == 401

    await eventually(closed)
    [listed] = await keys(database_url, "list")
    assert listed.startswith(
        f"{said.split()[2].rstrip(',')}  {key[:17]}…  jobs:read runs:trigger  'deploy'  last used "
    )
    assert await keys(database_url, "revoke", listed.split()[0]) == ["The key 'deploy' is revoked."]

    async def refused() -> bool:
        return await status(replica, key) == 401

    await eventually(refused)
    assert key not in replica.process.output


async def test_the_command_line_says_what_is_wrong(sqlite_url: str) -> None:
    [said] = await keys(sqlite_url, "create", "x", "--scope", "admin", "--expires-at", "2020-01-01T00:00:00Z", status=1)
    assert said == "The key would have expired already. Choose a later instant."
    [said] = await keys(sqlite_url, "create", "x", "--scope", "admin", "--expires-at", "soon", status=1)
    assert said.startswith("expires_at: ")
    [said] = await keys(sqlite_url, "create", "x" * 256, "--scope", "admin", status=1)
    assert said.startswith("name: ")
    [said] = await keys(sqlite_url, "revoke", "01a1062a-0000-7000-8000-000000000000", status=1)
    assert "There is no API key" in said
    assert await keys(sqlite_url, "list") == []


async def test_without_a_key_it_does_not_start_where_others_reach_it(sqlite_url: str) -> None:
    replica = Replica(sqlite_url, {"HOST": EVERYWHERE})
    await replica.launch()
    assert await asyncio.to_thread(replica.process.wait) == 1
    for way in ("cronledger keys create", "CRONLEDGER_BOOTSTRAP_KEY", "CRONLEDGER_AUTH=off"):
        assert way in replica.process.output


@pytest.mark.parametrize(
    ("settings", "open_to_all"),
    [({"BOOTSTRAP_KEY": OWN}, False), ({"AUTH": "off"}, True), ({"ROLE": "scheduler"}, False)],
)
async def test_the_ways_out(
    sqlite_url: str, replicas: Replicas, settings: dict[str, str], *, open_to_all: bool
) -> None:
    replica = await replicas.start(sqlite_url, {"HOST": EVERYWHERE} | settings)
    assert (await status(replica, None) == 200) is open_to_all
    if "BOOTSTRAP_KEY" in settings:
        assert await status(replica, OWN) == 200
        assert OWN not in replica.process.output


async def test_a_first_key_is_made_once(database_url: str, replicas: Replicas) -> None:
    one, other = await asyncio.gather(*(replicas.start(database_url, {"BOOTSTRAP_KEY": OWN}) for _ in range(2)))
    [listed] = await keys(database_url, "list")
    assert "an-o…  admin  'bootstrap'" in listed
    assert [await status(each, OWN) for each in (one, other)] == [200, 200]
    assert await status(one, OWN, "POST", f"/v1/keys/{listed.split()[0]}/revoke") == 200

    async def refused() -> bool:
        return await status(other, OWN) == 401

    await eventually(refused)
    late = await replicas.start(database_url, {"BOOTSTRAP_KEY": OWN})
    assert await status(late, OWN) == 401


async def test_a_first_key_that_is_none_is_refused_unseen(sqlite_url: str) -> None:
    replica = Replica(sqlite_url, {"BOOTSTRAP_KEY": "too-short"})
    await replica.launch()
    assert await asyncio.to_thread(replica.process.wait) == 1
    assert "CRONLEDGER_BOOTSTRAP_KEY: " in replica.process.output
    assert "too-short" not in replica.process.output


async def test_an_identity_provider_is_a_way_out_too(sqlite_url: str, replicas: Replicas, tmp_path: Path) -> None:
    provider = Provider()
    file = tmp_path / "keys.json"
    file.write_text(json.dumps(provider.published()))
    settings = {"HOST": EVERYWHERE, "JWT_ISSUER": ISSUER, "JWT_AUDIENCE": AUDIENCE, "JWT_KEYS": str(file)}
    replica = await replicas.start(sqlite_url, settings | {"JWT_SCOPES": "platform=jobs:read"})
    assert await status(replica, None) == 401
    token = signed(provider.keys["one"], claims(time.time(), scope="platform"))
    assert await status(replica, token) == 200
    assert await status(replica, token, path="/v1/runs") == 403
    assert token not in replica.process.output


async def test_a_provider_s_keys_come_from_who_the_authorities_vouch_for(
    sqlite_url: str, replicas: Replicas, provider_over_tls: Provider
) -> None:
    settings = {"JWT_ISSUER": ISSUER, "JWT_AUDIENCE": AUDIENCE, "JWT_KEYS": provider_over_tls.url}
    token = signed(provider_over_tls.keys["one"], claims(time.time(), scope="jobs:read"))
    replica = await replicas.start(sqlite_url, settings)
    assert await status(replica, token) == 503
    assert provider_over_tls.asked == 0
    trusting = await replicas.start(sqlite_url, settings | {"CA_BUNDLE": authority("valid")})
    assert await status(trusting, token) == 200


@pytest.mark.parametrize(("trusted", "told"), [("127.0.0.1", "203.0.113.9"), ("192.0.2.1", "127.0.0.1")])
async def test_a_proxy_is_believed_where_it_is_named(sqlite_url: str, trusted: str, told: str) -> None:
    replica = Replica(sqlite_url, {"BOOTSTRAP_KEY": OWN}, environment={"FORWARDED_ALLOW_IPS": trusted})
    await replica.start()
    try:
        headers = {"Authorization": f"Bearer {OWN}", "X-Forwarded-For": "203.0.113.9"}
        async with httpx2.AsyncClient(base_url=replica.url, headers=headers) as client:
            assert (await client.put("/v1/limits/x", json={"max_concurrency": 1})).is_success
            [line] = (await client.get("/v1/audit", params={"action": "limit.put"})).json()["items"]
    finally:
        await replica.kill()
    assert line["address"] == told


async def test_a_provider_is_named_whole(sqlite_url: str) -> None:
    replica = Replica(sqlite_url, {"JWT_ISSUER": ISSUER, "JWT_ALGORITHMS": "HS256"})
    await replica.launch()
    assert await asyncio.to_thread(replica.process.wait) == 1
    assert "CRONLEDGER_JWT_ALGORITHMS: " in replica.process.output
    replica = Replica(sqlite_url, {"JWT_ISSUER": ISSUER})
    await replica.launch()
    assert await asyncio.to_thread(replica.process.wait) == 1
    assert "needs CRONLEDGER_JWT_AUDIENCE and CRONLEDGER_JWT_KEYS" in replica.process.output
