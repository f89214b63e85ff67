"""Secrets over HTTP: told once, never read."""

from __future__ import annotations

from typing import Any

import pytest
from httpx2 import AsyncClient
from sqlalchemy import select, update

from app.db.engine import Database
from app.db.secret_tables import job_secrets, secrets
from app.db.tables import cron_jobs
from app.domain.clock import SystemClock
from app.service.known_secrets import KnownSecrets
from app.service.secrets import SecretService
from app.service.services import Services
from app.vault.sealer import WITHOUT_KEYS
from tests.api.building import JOB, build_app, client_of, create, problem
from tests.sealing import SEALER

VALUE = "s3cr3t-of-billing"


async def told(client: AsyncClient, name: str = "billing-token", value: str = VALUE) -> dict[str, Any]:
    answer = await client.post("/v1/secrets", json={"name": name, "value": value})
    assert answer.status_code == 201, answer.text
    assert answer.headers["location"] == f"/v1/secrets/{name}"
    assert VALUE not in answer.text
    secret: dict[str, Any] = answer.json()
    return secret


async def test_a_secret_is_told_replaced_and_deleted(client: AsyncClient, database: Database) -> None:
    made = await told(client)
    assert made["name"] == "billing-token"
    assert (await client.get("/v1/secrets/billing-token")).json() == made
    assert (await client.get("/v1/secrets")).json()["items"] == [made]
    replaced = await client.put("/v1/secrets/billing-token", json={"value": "another"})
    assert replaced.status_code == 200
    assert replaced.json()["created_at"] == made["created_at"]
    async with database.read() as connection:
        [token] = list(await connection.scalars(select(secrets.c.token)))
    assert SEALER.open(token) == "another"
    assert (await client.delete("/v1/secrets/billing-token")).status_code == 204
    problem(await client.get("/v1/secrets/billing-token"), 404, "secret-not-found")
    problem(await client.delete("/v1/secrets/billing-token"), 404, "secret-not-found")
    again = await client.put("/v1/secrets/billing-token", json={"value": "third"})
    assert (again.status_code, again.headers["location"]) == (201, "/v1/secrets/billing-token")


async def test_secrets_are_read_in_pages(client: AsyncClient) -> None:
    for name in ("b", "a", "c"):
        await told(client, name)
    first = (await client.get("/v1/secrets?limit=2")).json()
    rest = (await client.get("/v1/secrets", params={"limit": 2, "cursor": first["next_cursor"]})).json()
    assert [each["name"] for each in first["items"] + rest["items"]] == ["a", "b", "c"]
    assert rest["next_cursor"] is None


async def test_a_name_is_given_once(client: AsyncClient) -> None:
    await told(client)
    problem(await client.post("/v1/secrets", json={"name": "billing-token", "value": "x"}), 409, "name-taken")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "x"}, "value"),
        ({"name": "x", "value": ""}, "value"),
        ({"name": "x", "value": 5}, "value"),
        ({"name": "x", "value": "a\x00b"}, "value"),
        ({"name": "x", "value": "x" * 32769}, "value"),
        ({"name": "../x", "value": VALUE}, "name"),
        ({"name": "", "value": VALUE}, "name"),
        ({"name": "x", "value": VALUE, "hint": "y"}, "hint"),
    ],
)
async def test_a_secret_that_can_not_be_made(client: AsyncClient, body: dict[str, Any], field: str) -> None:
    answer = await client.post("/v1/secrets", json=body)
    assert problem(answer, 422, "invalid-input")["field"] == field
    assert VALUE not in answer.text


async def test_a_secret_that_jobs_carry_stays(client: AsyncClient, database: Database) -> None:
    await told(client)
    await create(client, body={"nested": [{"token": {"secret": "billing-token"}}]})
    said = problem(await client.delete("/v1/secrets/billing-token"), 409, "secret-in-use")
    assert "nightly" in said["detail"]
    assert (await client.patch("/v1/jobs/nightly", json={"body": "none"})).status_code == 200
    assert (await client.delete("/v1/secrets/billing-token")).status_code == 204
    await told(client)
    await client.patch("/v1/jobs/nightly", json={"headers": {"X-Team": {"secret": "billing-token"}}})
    assert (await client.delete("/v1/jobs/nightly")).status_code == 204
    assert (await client.delete("/v1/secrets/billing-token")).status_code == 204
    async with database.read() as connection:
        assert list(await connection.scalars(select(job_secrets.c.secret))) == []


@pytest.mark.parametrize(
    ("carried", "field"),
    [
        ({"body": {"secret": "absent"}}, "body"),
        ({"body": [1, {"deep": {"secret": "absent"}}]}, "body"),
        ({"headers": {"X-Token": {"secret": "absent"}}}, "headers.X-Token"),
        ({"auth": {"type": "bearer", "token": {"secret": "absent"}}}, "auth"),
        ({"auth": {"type": "basic", "username": "me", "password": {"secret": "absent"}}}, "auth"),
        ({"signing": [{"secret": "absent"}]}, "signing"),
        ({"tls": {"client_certificate": {"secret": "absent"}}}, "tls"),
        (
            {"notify": [{"on": ["lost"], "endpoint": "http://a.test/", "headers": {"X-T": {"secret": "absent"}}}]},
            "notify.0.headers.X-T",
        ),
    ],
)
async def test_a_secret_must_be_there_to_be_named(client: AsyncClient, carried: dict[str, Any], field: str) -> None:
    said = problem(await client.post("/v1/jobs", json=JOB | carried), 422, "unknown-secret")
    assert said["field"] == field
    assert ("absent" in said["detail"]) is (field != "body")
    problem(await client.get("/v1/jobs/nightly"), 404, "job-not-found")


async def test_what_may_be_a_value_is_not_said_back(client: AsyncClient) -> None:
    answer = await client.post("/v1/jobs", json=JOB | {"body": {"client": {"secret": "hunter2"}}})
    problem(answer, 422, "unknown-secret")
    assert "hunter2" not in answer.text


async def test_a_body_of_before_there_were_secrets_goes_on(client: AsyncClient, database: Database) -> None:
    await create(client)
    old = {"client": {"secret": "hunter2"}}
    async with database.begin() as connection:
        await connection.execute(update(cron_jobs).values(body=old))
    changed = await client.patch("/v1/jobs/nightly", json={"description": "x"})
    assert (changed.status_code, changed.json()["body"]) == (200, old)


async def test_a_job_names_a_bounded_number_of_secrets(client: AsyncClient) -> None:
    for number in range(33):
        await told(client, f"s{number}")
    body = [{"secret": f"s{number}"} for number in range(33)]
    said = problem(await client.post("/v1/jobs", json=JOB | {"body": body}), 422, "invalid-input")
    assert "more than 32 secrets" in said["detail"]
    await create(client, body=body[:32])


@pytest.mark.parametrize(
    ("carried", "field"),
    [
        ({"auth": {"type": "digest"}}, "auth"),
        ({"auth": {"type": "bearer", "token": "plain"}}, "auth.bearer.token"),
        ({"auth": {"type": "basic", "username": "a:b", "password": {"secret": "x"}}}, "auth.basic.username"),
        ({"headers": {"X-Token": {"secret": "a b"}}}, "headers.X-Token"),
        ({"headers": {"X-Token": {"secret": "x", "more": 1}}}, "headers.X-Token"),
        ({"headers": {"X-Token": {"sealed": "gAAAA"}}}, "headers.X-Token"),
        ({"signing": [{"secret": "a"}, {"secret": "b"}, {"secret": "c"}]}, "signing"),
        ({"signing": [{"secret": "billing-token"}]}, "signing"),
        ({"tls": {"client_certificate": {"secret": "billing-token"}}}, "tls"),
        ({"tls": {"verify": "no"}}, "tls.verify"),
        ({"auth": {"type": "bearer", "token": {"secret": "billing-token"}}, "headers": {"authorization": "x"}}, "auth"),
    ],
)
async def test_what_can_not_be_carried(client: AsyncClient, carried: dict[str, Any], field: str) -> None:
    await told(client)
    assert problem(await client.post("/v1/jobs", json=JOB | carried), 422, "invalid-input")["field"] == field


async def test_a_job_tells_the_names_of_what_it_carries(client: AsyncClient) -> None:
    await told(client)
    await told(client, "signing", f"whsec_{'A' * 32}")
    carried = {
        "headers": {"X-Api-Key": {"secret": "billing-token"}},
        "auth": {"type": "basic", "username": "me", "password": {"secret": "billing-token"}},
        "signing": [{"secret": "signing"}],
        "body": {"token": {"secret": "billing-token"}},
    }
    job = await create(client, **carried)
    assert {name: job[name] for name in carried} == carried
    same = await client.put("/v1/jobs/nightly", json=JOB | carried)
    assert same.json()["version"] == 1
    bearer = {"type": "bearer", "token": {"secret": "billing-token"}, "username": None, "password": None}
    changed = (await client.patch("/v1/jobs/nightly", json={"auth": bearer})).json()
    assert changed["auth"] == {"type": "bearer", "token": {"secret": "billing-token"}}
    assert (await client.patch("/v1/jobs/nightly", json={"auth": None})).json()["auth"] is None


async def test_without_a_key_no_secret_is_taken(services: Services, database: Database) -> None:
    known = KnownSecrets(database, WITHOUT_KEYS, SystemClock())
    secrets_service = SecretService(database, WITHOUT_KEYS, known)
    without = Services(
        **{name: getattr(services, name) for name in services.__slots__ if name != "secrets"}, secrets=secrets_service
    )
    async with client_of(build_app(without)) as client:
        said = problem(await client.post("/v1/secrets", json={"name": "x", "value": VALUE}), 422, "invalid-input")
    assert said["field"] == "value"
    assert "CRONLEDGER_SECRET_KEYS" in said["remedy"]
