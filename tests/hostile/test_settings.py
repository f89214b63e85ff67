"""What the operator says about calls, through the settings of a real process."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from typing import Any

import pytest
from pydantic import ValidationError

from app.config import Settings
from tests.e2e.client import Api, eventually
from tests.hostile.malice import body, serving_malice
from tests.hostile.service import ENDED
from tests.servers.replica import Replicas
from tests.servers.tunnel import Tunnel
from tests.unit.target.servers import TLS, Server, server_tls

Told = tuple[str, str | None]
Calling = Callable[[Mapping[str, str], Mapping[str, str]], Awaitable[dict[str, Told]]]


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as opened:
        yield opened


@pytest.fixture
async def calling(sqlite_url: str, replicas: Replicas, stack: AsyncExitStack) -> Calling:
    """What becomes of one call to each endpoint, under these settings."""

    async def call(settings: Mapping[str, str], endpoints: Mapping[str, str]) -> dict[str, Told]:
        replica = await replicas.start(sqlite_url, {"TARGETS": "public"} | dict(settings))
        api = Api(replica.url)
        stack.push_async_callback(api.close)
        for name, endpoint in endpoints.items():
            await api.create(name, endpoint, "@manual", retry={"max_attempts": 1})
            await api.post(f"/v1/jobs/{name}/trigger")
        runs: list[dict[str, Any]] = []

        async def all_ended() -> bool:
            runs[:] = await api.runs()
            return all(run["state"] in ENDED for run in runs)

        await eventually(all_ended, timeout=30)
        assert "Traceback" not in replica.process.output
        return {run["job_name"]: (run["state"], run["error"]) for run in runs}

    return call


async def test_what_is_allowed_is_called(calling: Calling) -> None:
    async with serving_malice({"": body(b"ok")}) as server:
        at = f"127.0.0.1:{server.port}"
        assert await calling({"TARGETS_ALLOW": at}, {"one": f"http://{at}/"}) == {"one": ("succeeded", None)}


async def test_a_job_that_was_taken_before_is_refused_when_it_is_called(sqlite_url: str, replicas: Replicas) -> None:
    async with serving_malice({"": body(b"ok")}) as server:
        before = await replicas.start(sqlite_url, {"TARGETS": "any"})
        api = Api(before.url)
        await api.create("old", f"http://127.0.0.1:{server.port}/", "@manual", retry={"max_attempts": 1})
        await api.close()
        await before.terminate()
        after = Api((await replicas.start(sqlite_url, {"TARGETS_DENY": "127.0.0.0/8", "TARGETS": "any"})).url)
        await after.post("/v1/jobs/old/trigger")

        async def failed() -> bool:
            return [run["error"] for run in await after.runs()] == [
                "refused: 127.0.0.1 is closed by CRONLEDGER_TARGETS_DENY"
            ]

        await eventually(failed)
        await after.close()
    assert server.calls == {}


async def test_an_own_authority_is_trusted_and_no_other(calling: Calling, stack: AsyncExitStack) -> None:
    server = await _tls_server(stack)
    endpoints = {"tls": f"https://localhost:{server}/"}
    assert await calling({"TARGETS": "any", "CA_BUNDLE": str(TLS / "valid.pem")}, endpoints) == {
        "tls": ("succeeded", None)
    }


async def test_without_it_the_systems_are(calling: Calling, stack: AsyncExitStack) -> None:
    server = await _tls_server(stack)
    told = await calling({"TARGETS": "any"}, {"tls": f"https://localhost:{server}/"})
    assert told == {"tls": ("failed", "tls: self-signed certificate")}


async def test_all_calls_go_through_the_proxy(calling: Calling, stack: AsyncExitStack) -> None:
    tunnel, tls = Tunnel(), await _tls_server(stack)
    proxy = Server(tunnel.handle)
    port = await proxy.start()
    stack.push_async_callback(proxy.stop)
    settings = {"EGRESS_PROXY": f"http://me:sesame@127.0.0.1:{port}", "CA_BUNDLE": str(TLS / "valid.pem")}
    endpoints = {"tls": f"https://localhost:{tls}/", "other": f"https://unknown.test:{tls}/"}
    told = await calling(settings | {"TARGETS_ALLOW": "localhost"}, endpoints)
    assert told["tls"] == ("succeeded", None)
    assert told["other"][1] is not None
    assert told["other"][1].startswith("tls: Hostname mismatch")
    assert {each.split(b" ")[1] for each in tunnel.asked} == {
        f"localhost:{tls}".encode(),
        f"unknown.test:{tls}".encode(),
    }


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("targets", "all", "'listed', 'public', 'private' or 'any'"),
        ("targets_allow", "10.0.0.1/8", "'10.0.0.1/8' is no network"),
        ("targets_allow", ":443, :", "':' is no network, host or port"),
        ("targets_deny", "a b:0", "'b:0' names ports that don't exist"),
        ("egress_proxy", "socks5://me:sesame@proxy", "a proxy is written http://host:port"),
        ("ca_bundle", "/nowhere.pem", "'/nowhere.pem' can't be read as certificates in PEM"),
        ("ca_bundle", __file__, "can't be read as certificates in PEM"),
        ("database_url", "postgresql://me:sesame@db:port/x", "a database is written postgresql://"),
        ("database_url", "oracle://me:sesame@db/x", "a database is written postgresql://"),
        ("database_url", "me:sesame@db", "a database is written postgresql://"),
        ("database_url", "", "a database is written postgresql://"),
        ("jwt_keys", "ftp://me:sesame@identity.example/keys", "public keys are at https://..."),
        ("jwt_keys", "https://me:sesame@[bad/keys", "public keys are at https://..."),
        ("jwt_keys", "https:me:sesame@identity.example/keys", "public keys are at https://..."),
        ("jwt_keys", "https://me:sesame@/keys", "public keys are at https://..."),
        ("jwt_keys", "HTTPS://me:sesame@identity.example/keys", "public keys are at https://..."),
    ],
)
def test_what_can_not_be_used_is_said_at_the_start(name: str, value: str, said: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Settings.model_validate({name: value})
    assert said in str(refused.value)
    assert "sesame" not in str(refused.value)


def test_the_password_of_the_proxy_is_not_shown() -> None:
    assert "sesame" not in repr(Settings(egress_proxy="http://me:sesame@proxy:3128"))


async def _tls_server(stack: AsyncExitStack) -> int:
    async def answer(reader: Any, writer: Any) -> None:
        await server.read(reader)
        writer.write(body(b"ok"))
        await writer.drain()

    server = Server(answer)
    stack.push_async_callback(server.stop)
    return await server.start(server_tls("valid"))
