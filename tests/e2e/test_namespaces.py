"""Namespaces as an operator meets them: the command line, a replica, and two tenants who know nothing of each other."""

from __future__ import annotations

import httpx2

from app.vault.sealer import new_key
from tests.e2e.client import eventually
from tests.e2e.command import cronledger
from tests.servers.replica import Replica, Replicas
from tests.servers.sink import Sink

KEY = new_key()


async def tenant(url: str, name: str, secret: str) -> dict[str, str]:
    """A namespace, with a secret in it and a key for it."""
    assert await cronledger(url, "namespaces", "set", name) == f"The namespace {name} is made."
    await cronledger(url, "secrets", "set", "token", "--namespace", name, keys=KEY, told=secret)
    said = await cronledger(url, "keys", "create", "ci", "--scope", "admin", "--namespace", name)
    return {"Authorization": f"Bearer {said.splitlines()[-1]}"}


async def send(replica: Replica, method: str, path: str, headers: dict[str, str], body: object = None) -> object:
    async with httpx2.AsyncClient(base_url=replica.url, headers=headers) as client:
        answer = await client.request(method, path, json=body)
    assert answer.is_success, answer.text
    return answer.json() if answer.content else None


async def test_each_tenants_jobs_carry_its_own_secrets(database_url: str, replicas: Replicas, sink: Sink) -> None:
    replica = await replicas.start(database_url, {"SECRET_KEYS": KEY})
    tenants = {name: await tenant(database_url, name, f"s3cr3t-of-{name}") for name in ("acme", "globex")}
    for name, headers in tenants.items():
        auth = {"type": "bearer", "token": {"secret": "token"}}
        body = {"schedule": "@every 1s", "endpoint": f"{sink.url}/{name}", "auth": auth, "overlap": "allow"}
        await send(replica, "PUT", "/v1/jobs/job", headers, body)
    for name in tenants:
        calls = await sink.wait_for(2, path=f"/{name}")
        assert {call.headers["Authorization"] for call in calls} == {f"Bearer s3cr3t-of-{name}"}
    entries = await send(replica, "GET", "/v1/entries", tenants["acme"])
    assert isinstance(entries, dict)
    assert [each["name"] for each in entries["items"]] == ["job"]
    for headers in tenants.values():
        await send(replica, "POST", "/v1/jobs/job/pause", headers)


async def test_the_command_line_makes_lists_and_deletes(database_url: str, replicas: Replicas) -> None:
    replica = await replicas.start(database_url)
    quotas = ["--max-jobs", "3", "--runs-per-day", "9", "--min-interval-seconds", "90", "--requests-per-second", "0.5"]
    assert await cronledger(database_url, "namespaces", "set", "acme", *quotas) == "The namespace acme is made."
    assert (await cronledger(database_url, "namespaces", "list")).splitlines() == [
        "acme  0 jobs of 3  0 runs today of 9  every 90 s at most  0.5 requests a second",
        "default  0 jobs",
    ]
    said = await cronledger(database_url, "keys", "create", "ci", "--scope", "jobs:read", "--namespace", "acme")
    headers = {"Authorization": f"Bearer {said.splitlines()[-1]}"}
    assert await send(replica, "GET", "/v1/jobs", headers) == {"items": [], "next_cursor": None}
    assert await cronledger(database_url, "keys", "list") == ""
    listed = await cronledger(database_url, "keys", "list", "--namespace", "acme")
    said = await cronledger(database_url, "namespaces", "delete", "acme", status=1)
    assert said.startswith("The namespace acme is not empty: API keys that hold 1.")
    key_id = listed.split()[0]
    assert "There is no API key" in await cronledger(database_url, "keys", "revoke", key_id, status=1)
    await cronledger(database_url, "keys", "revoke", key_id, "--namespace", "acme")
    assert await cronledger(database_url, "namespaces", "delete", "acme") == "The namespace acme is deleted."

    async def refused() -> bool:
        async with httpx2.AsyncClient(base_url=replica.url, headers=headers) as client:
            return (await client.get("/v1/jobs")).status_code == 401

    await eventually(refused)
    for arguments, wrong in (
        (["namespaces", "set", "A"], "name: "),
        (["namespaces", "set", "a", "--max-jobs", "-1"], "max_jobs: "),
        (["namespaces", "set", "acme"], "The namespace acme was deleted"),
        (["namespaces", "delete", "none"], "There is no namespace named none."),
        (["keys", "create", "ci", "--scope", "admin", "--namespace", "none"], "There is no namespace named none."),
    ):
        assert (await cronledger(database_url, *arguments, status=1)).startswith(wrong)
