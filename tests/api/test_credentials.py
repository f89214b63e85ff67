"""Headers named like credentials: encrypted where they stand, masked when a job is read."""

from __future__ import annotations

from typing import Any

from httpx2 import AsyncClient
from sqlalchemy import select, update

from app.db.engine import Database
from app.db.tables import cron_jobs
from app.domain.secret import sealed_token
from app.service.jobs import JobService
from app.service.services import Services
from app.target.address import Targets
from app.target.reach import Reach
from tests.api.building import JOB, build_app, client_of, create, problem
from tests.sealing import SEALER

PLAIN = "Bearer s3cr3t-of-mine"
RULE: dict[str, Any] = {"on": ["lost"], "endpoint": "http://a.test/", "headers": {"X-Token": PLAIN}}


async def stored(database: Database) -> dict[str, Any]:
    async with database.read() as connection:
        [headers] = list(await connection.scalars(select(cron_jobs.c.headers)))
    found: dict[str, Any] = headers
    return found


def opened(value: object) -> str:
    token = sealed_token(value)
    assert token is not None, value
    return SEALER.open(token)


async def test_a_credential_is_masked_and_encrypted(client: AsyncClient, database: Database) -> None:
    made = await create(client, headers={"Authorization": PLAIN, "X-Team": "billing"}, notify=[RULE])
    assert made["headers"] == {"Authorization": "***", "X-Team": "billing"}
    assert made["notify"][0]["headers"] == {"X-Token": "***"}
    headers = await stored(database)
    assert headers["X-Team"] == "billing"
    assert opened(headers["Authorization"]) == PLAIN
    for path in ("/v1/jobs", "/v1/jobs/nightly", "/v1/jobs/nightly/versions", "/v1/audit"):
        assert "s3cr3t" not in (await client.get(path)).text


async def test_what_was_read_can_be_sent_back(client: AsyncClient, database: Database) -> None:
    made = await create(client, headers={"Authorization": PLAIN}, notify=[RULE])
    before = await stored(database)
    body = JOB | {name: made[name] for name in ("headers", "notify")}
    assert (await client.put("/v1/jobs/nightly", json=body)).json()["version"] == 1
    changed = (await client.patch("/v1/jobs/nightly", json={"headers": {"X-Team": "billing"}})).json()
    assert (changed["version"], changed["headers"]) == (2, {"Authorization": "***", "X-Team": "billing"})
    assert (await client.patch("/v1/jobs/nightly", json={"description": "x", "notify": body["notify"]})).is_success
    assert (await stored(database))["Authorization"] == before["Authorization"]


async def test_the_same_value_sent_again_is_no_change(client: AsyncClient) -> None:
    body = JOB | {"headers": {"Authorization": PLAIN}, "notify": [RULE]}
    await create(client, **body)
    assert (await client.put("/v1/jobs/nightly", json=body)).json()["version"] == 1
    other = body | {"headers": {"Authorization": "Bearer other"}}
    assert (await client.put("/v1/jobs/nightly", json=other)).json()["version"] == 2


async def test_notices_of_one_endpoint_keep_each_its_own(client: AsyncClient, database: Database) -> None:
    rules = [RULE | {"headers": {"X-Token": value}} for value in ("first", "second")] + [RULE | {"headers": {}}]
    made = await create(client, notify=rules)
    assert (await client.patch("/v1/jobs/nightly", json={"description": "x"})).is_success
    assert (await client.put("/v1/jobs/nightly", json=JOB | {"notify": made["notify"]})).is_success
    loose = [each | {"endpoint": "HTTP://A.test:80"} for each in made["notify"]]
    assert (await client.patch("/v1/jobs/nightly", json={"notify": loose})).is_success
    async with database.read() as connection:
        [policies] = list(await connection.scalars(select(cron_jobs.c.policies)))
    assert [opened(rule["headers"]["X-Token"]) for rule in policies["notify"][:2]] == ["first", "second"]
    assert policies["notify"][2].get("headers", {}) == {}


async def test_a_mask_behind_which_there_is_nothing_is_refused(client: AsyncClient) -> None:
    masked = JOB | {"headers": {"Authorization": "***"}}
    for answer in (await client.post("/v1/jobs", json=masked), await client.put("/v1/jobs/nightly", json=masked)):
        assert problem(answer, 422, "invalid-input")["field"] == "headers.Authorization"
    await create(client, headers={"X-Team": "***"})
    answer = await client.patch("/v1/jobs/nightly", json={"notify": [RULE | {"headers": {"X-Token": "***"}}]})
    assert problem(answer, 422, "invalid-input")["field"] == "notify.0.headers.X-Token"


async def test_a_dry_run_tells_no_credential_and_keeps_none(client: AsyncClient) -> None:
    answer = await client.post("/v1/jobs?dry_run=true", json=JOB | {"headers": {"Authorization": PLAIN}})
    assert answer.json()["headers"] == {"Authorization": "***"}
    problem(await client.get("/v1/jobs/nightly"), 404, "job-not-found")


async def test_a_job_from_before_is_masked_and_encrypted_when_it_changes(
    client: AsyncClient, database: Database
) -> None:
    await create(client)
    async with database.begin() as connection:
        await connection.execute(update(cron_jobs).values(headers={"Authorization": PLAIN}))
    assert (await client.get("/v1/jobs/nightly")).json()["headers"] == {"Authorization": "***"}
    assert (await client.patch("/v1/jobs/nightly", json={"description": "x"})).is_success
    assert opened((await stored(database))["Authorization"]) == PLAIN


async def test_without_a_key_no_credential_is_taken(services: Services, database: Database) -> None:
    jobs = JobService(database, services.scheduler, Reach(Targets.ANY))
    without = Services(**{name: getattr(services, name) for name in services.__slots__ if name != "jobs"}, jobs=jobs)
    async with client_of(build_app(without)) as client:
        answer = await client.post("/v1/jobs", json=JOB | {"headers": {"Authorization": PLAIN}})
        assert problem(answer, 422, "invalid-input")["field"] == "headers.Authorization"
        await create(client, headers={"X-Team": "billing"})
        async with database.begin() as connection:
            await connection.execute(update(cron_jobs).values(headers={"Authorization": PLAIN, "X-Number": 5}))
        for step in ("pause", "resume"):
            assert (await client.post(f"/v1/jobs/nightly/{step}")).is_success
        assert (await client.patch("/v1/jobs/nightly", json={"description": "x"})).is_success
        assert await stored(database) == {"Authorization": PLAIN, "X-Number": 5}
