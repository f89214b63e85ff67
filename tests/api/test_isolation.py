"""What is in one namespace is not seen, named or changed from another."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient

from app.api.needs import NEEDS, OPERATORS
from app.db.engine import Database
from app.domain.access import Scope
from app.domain.api_key import compose
from app.service.keys import bootstrap
from app.service.services import Services
from tests.api.building import JOB, problem
from tests.api.isolation import (
    ASKS,
    BACKFILL,
    NAMESPACE,
    NEVER,
    Things,
    anonymous,
    calling,
    done,
    furnish,
    job_body,
    made_key,
    ordered,
    stored,
)
from tests.api.streaming import streaming

ADMIN = compose(bytes(32))
OWN = JOB | {"name": "own", "schedule": "@manual"}


@dataclass(frozen=True, slots=True)
class World:
    """`default` and acme are furnished, and globex has nothing. `admin` is the operator, of `default`."""

    api: FastAPI
    database: Database
    admin: AsyncClient
    acme: AsyncClient
    globex: AsyncClient
    default_has: Things
    acme_has: Things


@pytest.fixture
async def world(api: FastAPI, services: Services, database: Database) -> AsyncIterator[World]:
    api.state.open_operations = frozenset()  # metrics need a key
    await bootstrap(database, ADMIN)
    async with calling(api, ADMIN) as admin:
        keys = {}
        for name in ("acme", "globex"):
            await done(await admin.put(f"/v1/namespaces/{name}", json={}))
            keys[name] = (await made_key(admin, f"{name}-key", "admin", namespace=name))["key"]
        async with calling(api, keys["acme"]) as acme, calling(api, keys["globex"]) as globex:
            default_has = await furnish(admin, database, "default", "quokka")
            acme_has = await furnish(acme, database, "acme", "wombat")
            await services.scheduler.follower.load()
            yield World(api, database, admin, acme, globex, default_has, acme_has)


def assert_unseen(told: str, foreign: list[Things], said: str = "") -> None:
    """Nothing of the foreign things is in what was told, but for what the caller said."""
    assert not {mark for things in foreign for mark in things.marks if mark in told and mark not in said}
    assert "acme:" not in told


async def sweep(client: AsyncClient, things: Things, foreign: list[Things]) -> list[Any]:
    """Every operation, asked with the names of these things; how each was answered, without those names."""
    answers = []
    for name, ask in ordered(things):
        answer = await ask.send(client)
        assert answer.status_code == ask.status, (name, ask, answer.text)
        told = f"{answer.text} {dict(answer.headers)}"
        assert_unseen(told, foreign, ask.told)
        assert "acme" not in told or "acme" in ask.told
        refusal = anonymous(answer.text, things) if answer.is_client_error else None
        answers.append((name, ask.method, sorted(answer.headers), refusal))
    return answers


def test_every_operation_is_asked_for() -> None:
    assert ASKS.keys() == NEEDS.keys()


@pytest.mark.parametrize("whose", ["default", "acme"])
async def test_another_tenant_meets_nothing(world: World, whose: str) -> None:
    """Whatever names something foreign is answered as what never was."""
    both = [world.default_has, world.acme_has]
    before = await stored(world.database)
    never = await sweep(world.globex, NEVER, both)
    things = world.acme_has if whose == "acme" else world.default_has
    assert await sweep(world.globex, things, both) == never
    assert before <= await stored(world.database)


async def test_who_has_nothing_is_shown_nothing(world: World) -> None:
    """Nor do numbers count anything foreign."""
    for path in ("jobs", "runs", "backfills", "calendars", "limits", "secrets", "stats", "entries"):
        assert (await done(await world.globex.get(f"/v1/{path}")))["items"] == [], path
    assert (await done(await world.globex.get("/v1/forecast")))["total"] == 0
    for query in ("", f"?job_id={world.acme_has.job_id}", f"?job_id={world.default_has.gone_id}"):
        total = (await done(await world.globex.get(f"/v1/stats{query}")))["total"]
        assert {value for value in total.values() if not isinstance(value, dict)} == {0}
    assert (await done(await world.globex.get("/v1/namespaces")))["items"][0]["jobs"] == 0
    for owner in (world.admin, world.acme):
        assert (await done(await owner.get("/v1/stats")))["total"]["due"] == 2 * 777
        assert (await done(await owner.get("/v1/forecast")))["total"] in (24 * 60, 24 * 60 + 1)


@pytest.mark.parametrize("scopes", [{Scope.ADMIN}, set(Scope) - {Scope.ADMIN}])
async def test_default_meets_nothing_of_a_tenant(world: World, scopes: set[Scope]) -> None:
    """Its administrators see which namespaces there are, and no more of them."""
    key = (await made_key(world.admin, "ci", *scopes))["key"]
    before = await stored(world.database)
    async with calling(world.api, key) as client:
        for name, ask in ordered(world.acme_has):
            if name not in OPERATORS | {"listNamespaces", "getNamespace"}:
                answer = await ask.send(client)
                allowed = Scope.ADMIN in scopes or NEEDS[name] in scopes
                assert answer.status_code == (ask.status if allowed else 403), (name, ask, answer.text)
                assert_unseen(f"{answer.text} {dict(answer.headers)}", [world.acme_has], ask.told)
    assert before <= await stored(world.database)


async def test_a_stream_tells_what_is_ones_own(world: World) -> None:
    """What others' jobs did before is passed by: the first that is told is of the job that is made last."""
    await done(await world.globex.post("/v1/jobs", json=OWN))
    for client, name in ((world.globex, "own"), (world.acme, world.acme_has.job)):
        key = {"Authorization": client.headers["Authorization"]}
        async with streaming(world.api, "after=0", **key) as stream:
            first = await stream.event()
        assert (first["data"]["kind"], first["data"]["job_name"]) == ("job.created", name)


async def test_owners_see_all_of_their_own_by_plain_names(world: World) -> None:
    for owner, has, other in (
        (world.admin, world.default_has, world.acme_has),
        (world.acme, world.acme_has, world.default_has),
    ):
        told = ""
        for name, ask in ordered(has):
            if ask.method == "GET" and name not in OPERATORS | {"listNamespaces", "getNamespace"}:
                answer = await ask.send(owner)
                assert answer.status_code == 200, (name, answer.text)
                told += answer.text
        assert_unseen(told, [other])
        untold = {has.namespace, next(mark for mark in has.marks if mark.endswith("-value"))}
        assert {mark for mark in has.marks if mark not in told} - untold == set()


async def test_the_same_names_are_each_ones_own(world: World) -> None:
    """The mark of acme, by another tenant: made, changed and deleted, while acme's stay as they are."""
    before, has = await stored(world.database), world.acme_has
    mark = has.job.removesuffix("-job")
    limit, calendar = f"/v1/limits/{has.limit}", f"/v1/calendars/{has.calendar}"
    secret, job = f"/v1/secrets/{has.secret}", f"/v1/jobs/{has.job}"
    for path in (job, limit, calendar, secret):
        assert (await world.globex.get(path)).status_code == 404
    await done(await world.globex.put(secret, json={"value": "mine"}))
    await done(await world.globex.put(limit, json={"max_concurrency": 1}))
    await done(await world.globex.put(calendar, json={"description": "mine"}))
    made = await world.globex.post("/v1/jobs", json=job_body(mark))
    assert made.status_code == 201, made.text
    problem(await world.globex.delete(calendar), 409, "calendar-in-use")
    problem(await world.globex.delete(secret), 409, "secret-in-use")
    await done(await world.globex.put(calendar, json={"description": "mine still"}))
    await done(await world.globex.post(f"{job}/trigger"))
    assert len((await done(await world.globex.get(f"{job}/runs")))["items"]) == 1
    for path in (job, limit, calendar, secret):
        await done(await world.globex.delete(path))
        assert (await world.globex.get(path)).status_code == 404
        assert (await world.acme.get(path)).status_code == 200
    assert before <= await stored(world.database)


async def test_no_name_reaches_into_another_namespace(world: World) -> None:
    """As the database knows them, they are nobody's to say."""
    has, secret = world.acme_has, {"secret": f"acme:{world.acme_has.secret}"}
    for path in (f"jobs/acme:{has.job}", f"jobs/acme%2F{has.job}"):
        problem(await world.admin.get(f"/v1/{path}"), 404, "job-not-found")
    for path in (f"limits/acme:{has.limit}", f"calendars/acme:{has.calendar}", f"secrets/acme:{has.secret}"):
        for method in ("GET", "DELETE"):
            problem(await world.admin.request(method, f"/v1/{path}"), 422, "invalid-input")
    for more in ({"body": secret}, {"body": [{"deep": secret}]}, {"headers": {"X-Api-Key": secret}}):
        assert (await world.admin.post("/v1/jobs", json=OWN | more)).status_code == 422


async def test_an_edit_is_bound_to_ones_own_version(world: World) -> None:
    tag = (await world.acme.get(f"/v1/jobs/{world.acme_has.job}")).headers["etag"]
    for path in (f"/v1/jobs/{world.acme_has.job}", f"/v1/calendars/{world.acme_has.calendar}"):
        for value in (tag, "*"):
            wanted = {"If-Match": value}
            answers = [
                await world.globex.put(path.replace("wombat", word), json=OWN_PUT[path.split("/")[2]], headers=wanted)
                for word in ("wombat", "never")
            ]
            assert {answer.status_code for answer in answers} == {412}
            assert answers[0].text.replace("wombat", "never") == answers[1].text
    await done(await world.globex.post("/v1/jobs", json=OWN | {"name": world.acme_has.job}))
    seen = await world.globex.get(f"/v1/jobs/{world.acme_has.job}", headers={"If-None-Match": tag})
    assert seen.status_code == 200


OWN_PUT: dict[str, Any] = {"jobs": {"schedule": "@daily", "endpoint": "http://example.com/"}, "calendars": {}}


async def test_a_cursor_of_another_leads_into_ones_own(world: World) -> None:
    await done(await world.acme.put("/v1/limits/a", json={"max_concurrency": 1}))
    for kind, body in (("calendars", {"name": "a"}), ("secrets", {"name": "a", "value": "v"}), ("jobs", OWN)):
        await done(await world.acme.post(f"/v1/{kind}", json=body))
    await done(await world.acme.post(f"/v1/jobs/{world.acme_has.job}/backfill", json=BACKFILL))
    for path in ("jobs", "runs", "backfills", "calendars", "limits", "secrets", "keys", "audit", "stats"):
        cursor = (await done(await world.acme.get(f"/v1/{path}?limit=1")))["next_cursor"]
        assert cursor is not None, path
        for client in (world.globex, world.admin):
            answer = await client.get(f"/v1/{path}", params={"cursor": cursor})
            assert answer.status_code == 200, path
            assert_unseen(answer.text, [world.acme_has])


async def test_a_repeated_request_is_another_in_another_namespace(world: World) -> None:
    once = {"Idempotency-Key": "once"}
    made = [
        await done(await world.admin.post("/v1/jobs", json=OWN, headers=once | {NAMESPACE: name}))
        for name in ("default", "acme", "globex", "acme")
    ]
    assert len({each["id"] for each in made}) == 3
    assert made[1] == made[3]
    again = await world.acme.post("/v1/jobs", json=OWN, headers=once)
    problem(again, 409, "name-taken")


async def test_an_operator_acts_where_the_header_says(world: World) -> None:
    there = {NAMESPACE: "acme"}
    has = world.acme_has
    assert (await world.admin.get(f"/v1/jobs/{has.job}", headers=there)).json()["id"] == has.job_id
    assert (await world.admin.get(f"/v1/jobs/{world.default_has.job}", headers=there)).status_code == 404
    for name in sorted(OPERATORS):
        [ask] = ASKS[name](has)
        problem(await ask.send(world.admin, **there), 403, "forbidden")
    assert (await world.admin.get("/v1/namespaces", headers=there)).json()["items"][0]["name"] == "acme"


async def test_a_header_that_names_no_namespace_is_refused(world: World) -> None:
    for client in (world.admin, world.globex):
        for value in _ODD:
            answer = await client.get("/v1/jobs", headers=[(NAMESPACE.encode(), value.encode("latin-1"))])
            problem(answer, 403, "forbidden")


_ODD = [
    "nowhere",
    "ACME",
    "a" * 64,
    "a" * 9000,
    "acme,globex",
    "acme:",
    "%61cme",
    "\x01",
    "acme\x00",
    "\xe9",
    "../acme",
]


async def test_the_header_is_the_operators(world: World) -> None:
    """Whether the namespace is there is not told either."""
    reader = (await made_key(world.admin, "reader", *(set(Scope) - {Scope.ADMIN})))["key"]
    async with calling(world.api, reader) as other:
        for client in (world.globex, other):
            told = []
            for name in ("acme", "nowhere"):
                answer = await client.get("/v1/jobs", headers={NAMESPACE: name})
                problem(answer, 403, "forbidden")
                told.append(answer.text.replace(name, ""))
            assert told[0] == told[1]
    problem(await world.globex.get("/v1/jobs", headers={NAMESPACE: "default"}), 403, "forbidden")
    assert (await world.globex.get("/v1/jobs", headers={NAMESPACE: "globex"})).status_code == 200
    assert (await world.globex.get("/v1/jobs", headers={NAMESPACE: ""})).json()["items"] == []


async def test_no_key_is_for_another_namespace(world: World) -> None:
    body = {"name": "more", "scopes": ["admin"]}
    problem(await world.globex.post("/v1/keys", json=body | {"namespace": "acme"}), 422, "invalid-input")
    made = await done(await world.globex.post("/v1/keys", json=body))
    async with calling(world.api, made["key"]) as client:
        assert (await client.get("/v1/jobs")).json()["items"] == []
        assert (await client.get(f"/v1/keys/{world.acme_has.key}")).status_code == 404
        problem(await client.put("/v1/namespaces/mine", json={}), 403, "forbidden")
    assert made["id"] not in (await world.admin.get("/v1/keys")).text
