"""Tokens that count, and those that don't (RFC 8725)."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey
from structlog.testing import capture_logs

from app.domain.access import Scope
from app.domain.clock import FakeClock
from app.domain.errors import IdentityUnavailable, Unauthenticated
from app.identity.key_source import AGAIN_SECONDS, FRESH_SECONDS, STALE_SECONDS, KeySource
from app.identity.tokens import LEEWAY_SECONDS, TokenReader
from app.identity.trust import Trust, read_algorithms, read_scopes
from tests.servers.provider import AUDIENCE, ISSUER, Provider, claims, new_key, rsa_key, signed

NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOON)


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    provider = Provider()
    await provider.start()
    yield provider
    await provider.stop()


def reader(place: str, clock: FakeClock, **more: Any) -> TokenReader:
    known = {"issuer": ISSUER, "audience": AUDIENCE, "algorithms": ("ES256",), "claim": "scope", "scopes": {}}
    return TokenReader(Trust(**known | more), KeySource(place, clock), clock)


def token(provider: Provider, clock: FakeClock, kid: str = "one", **more: Any) -> str:
    return signed(provider.keys[kid], claims(clock.now().timestamp(), **more))


async def after(clock: FakeClock, seconds: float) -> None:
    await clock.advance(timedelta(seconds=seconds))


@pytest.mark.parametrize("text", [None, "no JSON: T0KEN", '{"keys": [{"kty": "oct", "k": "T0KEN", "alg": 7}]}'])
async def test_what_can_not_be_read_is_told_without_passwords(
    provider: Provider, clock: FakeClock, text: str | None
) -> None:
    told = token(provider, clock)
    provider.failing, provider.text = (500, None) if text is None else (None, text)
    place = provider.url.replace("http://", "http://me:sesame@") + "?token=T0KEN"
    with capture_logs() as logs, pytest.raises(IdentityUnavailable):
        await reader(place, clock).caller(told)
    assert logs
    for hidden in ("sesame", base64.b64encode(b"me:sesame").decode(), "T0KEN"):
        assert hidden not in repr(logs)


async def test_a_token_says_who_asks_and_what_they_may(provider: Provider, clock: FakeClock) -> None:
    told = token(provider, clock, scope="openid jobs:read runs:trigger")
    assert TokenReader.is_token(told)
    caller = await reader(provider.url, clock).caller(told)
    assert (caller.id, caller.name) == (f"{ISSUER} alice", "alice")
    assert caller.scopes == frozenset({Scope.JOBS_READ, Scope.RUNS_TRIGGER})


@pytest.mark.parametrize(
    ("claim", "told", "mapping", "scopes"),
    [
        ("scope", {}, "", set()),
        ("scope", {"scope": ["admin", 7, "nothing"]}, "", {Scope.ADMIN}),
        ("scope", {"scope": 7}, "", set()),
        ("roles", {"roles": ["platform", "other"]}, "platform=admin", {Scope.ADMIN}),
        ("roles", {"roles": ["dev"]}, "dev=jobs:read,jobs:write x=admin", {Scope.JOBS_READ, Scope.JOBS_WRITE}),
        ("roles", {"roles": ["admin"]}, "platform=admin", set()),
        ("realm_access.roles", {"realm_access": {"roles": ["admin"]}}, "", {Scope.ADMIN}),
        ("realm_access.roles", {"realm_access": ["admin"]}, "", set()),
        ("https://example/roles", {"https://example/roles": "admin"}, "", {Scope.ADMIN}),
        ("a.b", {"a.b": "admin", "a": {"b": "jobs:read"}}, "", {Scope.ADMIN}),
    ],
)
async def test_a_claim_says_what_is_allowed(  # noqa: PLR0917  # a table
    provider: Provider, clock: FakeClock, claim: str, told: dict[str, Any], mapping: str, scopes: set[Scope]
) -> None:
    asked = reader(provider.url, clock, claim=claim, scopes=read_scopes(mapping))
    assert (await asked.caller(token(provider, clock, **told))).scopes == frozenset(scopes)


@pytest.mark.parametrize(
    "more",
    [
        {"iss": "https://other.example"},
        {"iss": None},
        {"aud": "another"},
        {"aud": ["another"]},
        {"aud": None},
        {"sub": None},
        {"sub": 7},
        {"sub": ""},
        {"sub": "a\0b"},
        {"sub": "x" * 1025},
        {"exp": 10**18},
        {"exp": None},
        {"exp": "tomorrow"},
        {"exp": int(NOON.timestamp()) - LEEWAY_SECONDS},
        {"nbf": int(NOON.timestamp()) + LEEWAY_SECONDS + 1},
        {"iat": int(NOON.timestamp()) + LEEWAY_SECONDS + 1},
    ],
)
async def test_a_token_that_is_for_others_or_not_of_now(
    provider: Provider, clock: FakeClock, more: dict[str, Any]
) -> None:
    with pytest.raises(Unauthenticated, match="The token is refused"):
        await reader(provider.url, clock).caller(token(provider, clock, **more))


async def test_one_audience_among_several_and_a_clock_that_is_a_little_off(
    provider: Provider, clock: FakeClock
) -> None:
    late = int(NOON.timestamp()) - LEEWAY_SECONDS + 1
    told = token(provider, clock, aud=["other", AUDIENCE], exp=late, nbf=int(NOON.timestamp()) + LEEWAY_SECONDS)
    assert (await reader(provider.url, clock).caller(told)).name == "alice"


async def test_what_nobody_signed(provider: Provider, clock: FakeClock) -> None:
    asked, good = reader(provider.url, clock), token(provider, clock)
    head, body, signature = good.split(".")
    forged = encoded(claims(NOON.timestamp(), sub="mallory"))
    public = json.dumps(provider.published()["keys"][0]).encode()
    by_public_key = jwt.encode(
        {"alg": "HS256", "kid": "one"}, claims(NOON.timestamp()), OctKey.import_key(public), algorithms=["HS256"]
    )
    for told in (
        f"{head}.{forged}.{signature}",
        f"{encoded({'alg': 'none', 'kid': 'one'})}.{body}.",
        f"{encoded({'alg': 'none'})}.{body}.",
        f"{head}.{body}.",
        f"{head}.{body}.{'A' * len(signature)}",
        signed(new_key("one"), claims(NOON.timestamp())),
        signed(new_key("one"), claims(NOON.timestamp()), jwk=new_key("x").as_dict(private=False)),
        by_public_key,
    ):
        with pytest.raises(Unauthenticated):
            await asked.caller(told)
    assert (await asked.caller(good)).name == "alice"


@pytest.mark.parametrize(
    "told",
    [
        "eyJ..",
        "eyJ.a.b",
        "eyJ9.eyJ9.eyJ9",
        "eyJ\u00fc.e.e",
        "eyJ" + "a" * 20_000 + ".b.c",
        "eyJhbGciOiJFUzI1NiJ9.W10.c",
    ],
)
async def test_what_is_no_token(provider: Provider, clock: FakeClock, told: str) -> None:
    with pytest.raises(Unauthenticated):
        await reader(provider.url, clock).caller(told)


async def test_only_the_algorithms_that_were_chosen(provider: Provider, clock: FakeClock) -> None:
    provider.keys = {"rsa": rsa_key("rsa"), "one": new_key("one")}
    told = signed(provider.keys["rsa"], claims(NOON.timestamp()), "RS256")
    with pytest.raises(Unauthenticated):
        await reader(provider.url, clock).caller(told)
    assert (await reader(provider.url, clock, algorithms=("RS256", "ES256")).caller(told)).name == "alice"


async def test_a_token_without_a_kid_is_read_where_there_is_one_key(provider: Provider, clock: FakeClock) -> None:
    told = jwt.encode({"alg": "ES256"}, claims(NOON.timestamp()), provider.keys["one"], algorithms=["ES256"])
    assert (await reader(provider.url, clock).caller(told)).name == "alice"
    provider.keys["two"] = new_key("two")
    with pytest.raises(Unauthenticated, match="which key signed it"):
        await reader(provider.url, clock).caller(told)


async def test_keys_are_read_once_and_again_when_they_are_old(provider: Provider, clock: FakeClock) -> None:
    asked = reader(provider.url, clock)
    for _ in range(3):
        await asked.caller(token(provider, clock))
    assert provider.asked == 1
    taken_back = token(provider, clock, exp=int(NOON.timestamp()) + 7200)
    provider.rotate("two")
    await after(clock, FRESH_SECONDS)
    with pytest.raises(Unauthenticated):
        await asked.caller(taken_back)


async def test_a_new_key_is_found_and_nobody_makes_us_ask_more_often(provider: Provider, clock: FakeClock) -> None:
    asked = reader(provider.url, clock)
    await asked.caller(token(provider, clock))
    provider.rotate("two")
    await after(clock, AGAIN_SECONDS)
    assert (await asked.caller(token(provider, clock, "two"))).name == "alice"
    assert provider.asked == 2
    for number in range(5):
        with pytest.raises(Unauthenticated):
            await asked.caller(signed(new_key(f"made up {number}"), claims(NOON.timestamp())))
    assert provider.asked == 2


@pytest.mark.parametrize("failing", [500, 302, None])
async def test_known_keys_hold_for_an_hour_while_the_provider_is_away(
    provider: Provider, clock: FakeClock, failing: int | None
) -> None:
    asked, told = reader(provider.url, clock), token(provider, clock, exp=int(NOON.timestamp()) + 10_000)
    await asked.caller(told)
    provider.failing, provider.text = failing, "not JSON"
    await after(clock, STALE_SECONDS)
    assert (await asked.caller(told)).name == "alice"
    await after(clock, AGAIN_SECONDS)
    with pytest.raises(IdentityUnavailable):
        await asked.caller(told)


async def test_a_key_that_can_not_be_used_is_passed_over(provider: Provider, clock: FakeClock) -> None:
    odd = [{"kty": "EC", "crv": "brainpoolP256r1", "kid": "x"}, {"kty": "new"}, {"kty": "OKP", "crv": "X448"}, 7]
    provider.text = json.dumps({"keys": [*odd, *provider.published()["keys"]]})
    assert (await reader(provider.url, clock).caller(token(provider, clock))).name == "alice"


async def test_while_the_provider_is_slow_known_keys_are_not_waited_for(provider: Provider, clock: FakeClock) -> None:
    asked = reader(provider.url, clock)
    await asked.caller(token(provider, clock))
    await after(clock, AGAIN_SECONDS)
    provider.hanging.clear()
    unknown = asyncio.create_task(asked.caller(signed(new_key("made up"), claims(NOON.timestamp()))))
    async with asyncio.timeout(10):
        await provider.asking.wait()
        assert (await asked.caller(token(provider, clock))).name == "alice"
        assert not unknown.done()
        provider.hanging.set()
        with pytest.raises(Unauthenticated):
            await unknown


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"keys": 7}', '{"keys": [{"kty": "EC"}]}', " " * (2 << 20)])
async def test_what_is_no_set_of_keys(provider: Provider, clock: FakeClock, text: str) -> None:
    provider.text = text
    with pytest.raises((IdentityUnavailable, Unauthenticated)):
        await reader(provider.url, clock).caller(token(provider, clock))


async def test_keys_may_be_in_a_file(provider: Provider, clock: FakeClock, tmp_path: Any) -> None:
    file = tmp_path / "keys.json"
    asked = reader(str(file), clock)
    with pytest.raises(IdentityUnavailable):
        await asked.caller(token(provider, clock))
    file.write_text(json.dumps(provider.published()))
    await after(clock, AGAIN_SECONDS)
    assert (await asked.caller(token(provider, clock))).name == "alice"


def test_what_the_settings_may_say() -> None:
    assert read_algorithms("RS256, EdDSA") == ("RS256", "EdDSA")
    for text in ("", "HS256", "none", "RS256 HS256"):
        with pytest.raises(ValueError, match="choose among"):
            read_algorithms(text)
    for text in ("admin", "=admin", "x=everything", "x="):
        with pytest.raises(ValueError):  # noqa: PT011  # the enum's own message among them
            read_scopes(text)


def encoded(told: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(told).encode()).decode().rstrip("=")
