"""Secrets as an operator meets them: the command line, and keys that change."""

from __future__ import annotations

import os
from typing import Any

import httpx2

from app.target.signature import check_signing_key
from app.vault.sealer import new_key, read_keys
from tests.e2e.client import eventually
from tests.e2e.command import cronledger
from tests.servers.replica import Replica, Replicas
from tests.servers.sink import Sink


async def secrets(url: str, *arguments: str, **more: Any) -> str:
    return await cronledger(url, "secrets", *arguments, **more)


async def trigger(replica: Replica, sink: Sink, path: str) -> str:
    """The Authorization header of the call."""
    async with httpx2.AsyncClient(base_url=replica.url) as client:
        auth = {"type": "bearer", "token": {"secret": "token"}}
        body = {"schedule": "@manual", "endpoint": f"{sink.url}{path}", "auth": auth}
        assert (await client.put("/v1/jobs/job", json=body)).is_success
        assert (await client.post("/v1/jobs/job/trigger")).is_success
    [call] = await sink.wait_for(1, path=path)
    return str(call.headers["Authorization"])


async def test_a_secret_of_the_command_line_is_sent_and_encrypted_anew(
    database_url: str, replicas: Replicas, sink: Sink
) -> None:
    old, new = await secrets(database_url, "new-key"), await secrets(database_url, "new-key")
    assert await secrets(database_url, "set", "token", keys=old, told="s3cr3t\n") == "The secret token is made."
    replica = await replicas.start(database_url, {"SECRET_KEYS": f"{new},{old}"})
    assert await trigger(replica, sink, "/first") == "Bearer s3cr3t"
    said = await secrets(database_url, "rotate", keys=f"{new} {old}")
    assert said == "Encrypted anew: 1 secrets, 0 jobs, 0 notices to be sent."
    await replica.terminate()
    replica = await replicas.start(database_url, {"SECRET_KEYS": new})
    assert await trigger(replica, sink, "/second") == "Bearer s3cr3t"
    said = await secrets(database_url, "set", "token", keys=new, told="another")
    assert said == "The secret token has another value."

    async def sent() -> bool:
        path = f"/{os.urandom(4).hex()}"
        return await trigger(replica, sink, path) == "Bearer another"

    await eventually(sent)
    assert "is carried by the calls of job" in await secrets(database_url, "delete", "token", keys=new, status=1)
    assert (await secrets(database_url, "list")).startswith("token  ")
    assert "None of the keys opens: the secret token" in await secrets(database_url, "rotate", keys=old, status=1)


async def test_the_command_line_says_what_is_wrong(sqlite_url: str) -> None:
    assert "has no key to encrypt it with" in await secrets(sqlite_url, "set", "token", told="x", status=1)
    key = new_key()
    assert (await secrets(sqlite_url, "set", "../x", keys=key, told="x", status=1)).startswith("name: ")
    said = await secrets(sqlite_url, "set", "token", keys=key, told="s3cr3t" * 10_000, status=1)
    assert said.startswith("value: ")
    assert "s3cr3t" not in said
    assert "There is no secret named none" in await secrets(sqlite_url, "delete", "none", keys=key, status=1)
    said = await secrets(sqlite_url, "list", keys="no-key-at-all", status=1)
    assert said.startswith("CRONLEDGER_SECRET_KEYS: ")
    assert "no-key-at-all" not in said


async def test_new_keys_are_keys(sqlite_url: str) -> None:
    assert len(read_keys(await secrets(sqlite_url, "new-key"))) == 1
    check_signing_key(await secrets(sqlite_url, "new-signing-key"))
