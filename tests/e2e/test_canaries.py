"""No secret leaves the service but in the calls that are to carry it."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from aiohttp import web
from sqlalchemy import update

from app.db.engine import connect
from app.db.tables import cron_jobs
from app.domain.api_key import compose
from app.target.signature import new_signing_key
from app.vault.sealer import new_key
from tests.e2e.canaries import answers, dump, events, forms, found_in
from tests.e2e.client import SECONDLY, eventually
from tests.servers.replica import Replicas

ADMIN = compose(b"canary" * 6)
SECRET_KEY, SIGNING_KEY, JOB_KEY = new_key(), new_signing_key(), new_signing_key()
VALUES = {name: f"canary-{name}-7Hq/+é9" for name in ("bearer", "password", "body", "rotated")}
VALUES |= {name: f"canary-{name}-7Hq+9zKm" for name in ("header", "plain", "notice")}
CANARIES = [*VALUES.values(), SECRET_KEY, SIGNING_KEY[6:], JOB_KEY[6:], ADMIN[17:]]
SETTINGS = {
    "SECRET_KEYS": SECRET_KEY,
    "SIGNING_KEYS": SIGNING_KEY,
    "BOOTSTRAP_KEY": ADMIN,
    "LOG_LEVEL": "debug",
    "LOG_FORMAT": "json",
}


class Echo:
    """A target that says back all that it was sent, and fails."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.url = ""
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(application, access_log=None)

    async def start(self) -> None:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        body = (await request.read()).decode()
        said = json.dumps({"headers": dict(request.headers), "body": body}) + body + str(dict(request.headers))
        self.heard.append(f"{dict(request.headers)} {body}")
        return web.Response(status=400, text=said)


@pytest.fixture
async def echo() -> AsyncIterator[Echo]:
    target = Echo()
    await target.start()
    yield target
    await target.stop()


def jobs(url: str) -> dict[str, dict[str, Any]]:
    notice = {"on": ["failure"], "endpoint": f"{url}/notice", "headers": {"X-Token": VALUES["notice"]}}
    return {
        "bearer": {"auth": {"type": "bearer", "token": {"secret": "header"}}},
        "noticed": {"schedule": SECONDLY, "max_runs": 1, "notify": [notice]},
        "basic": {"auth": {"type": "basic", "username": "me", "password": {"secret": "header"}}},
        "plain": {"headers": {"Authorization": f"Bearer {VALUES['plain']}"}},
        "header": {"headers": {"X-Team": {"secret": "header"}}},
        "body": {"body": {"deep": [{"secret": "body"}], "and": {"secret": "password"}}},
        "text": {"body": {"secret": "bearer"}},
        "old": {"schedule": "@manual"},
        "signed": {"signing": [{"secret": "signing"}]},
    }


async def test_nothing_that_is_emitted_holds_a_secret(database_url: str, replicas: Replicas, echo: Echo) -> None:
    replica = await replicas.start(database_url, SETTINGS)
    told: dict[str, str] = {}
    headers = {"Authorization": f"Bearer {ADMIN}"}
    async with httpx2.AsyncClient(base_url=replica.url, headers=headers, timeout=20) as client:
        for name, value in (VALUES | {"signing": JOB_KEY}).items():
            answer = await client.post("/v1/secrets", json={"name": name, "value": value})
            assert answer.status_code == 201, answer.text
            told[f"secret {name}"] = answer.text
        wanted = jobs(echo.url)
        plain = {"schedule": "@manual", "retry": {"max_attempts": 2, "min_backoff_seconds": 0, "on": ["4xx"]}}
        for name, fields in wanted.items():
            body = plain | {"name": name, "endpoint": f"{echo.url}/{name}"} | fields
            made = await client.post("/v1/jobs", json=body, headers={"Idempotency-Key": f"key-{name}"})
            assert made.status_code == 201, made.text
            assert (await client.post("/v1/jobs", json=body)).status_code == 409
            told[f"job {name}"] = made.text
            if "schedule" not in fields:
                await client.post(f"/v1/jobs/{name}/trigger")
        await _store(database_url, {"Authorization": f"Bearer {VALUES['plain']}"})
        await client.post("/v1/jobs/old/trigger")
        bad = await client.patch("/v1/jobs/plain", json={"headers": {"Authorization": f"{VALUES['plain']}\n"}})
        worse = await client.put("/v1/secrets/body", json={"value": VALUES["rotated"] * 2000})
        assert (bad.status_code, worse.status_code) == (422, 422)
        told |= {"bad header": bad.text, "bad secret": worse.text}
        await client.put("/v1/secrets/bearer", json={"value": VALUES["rotated"]})

        async def all_ended() -> bool:
            runs = (await client.get("/v1/runs", params={"limit": 1000})).json()["items"]
            return len(runs) == len(wanted) + 1 and all(run["state"] == "failed" for run in runs)

        await eventually(all_ended, timeout=30)
        told |= await answers(client, wanted)
        last = (await client.patch("/v1/jobs/plain", json={"description": "the last event"})).json()
        told["events"] = await events(client, f'"job_version":{last["version"]}')
    assert await replica.terminate() == 0
    await _store(database_url, {})
    told |= {f"table {name}": rows for name, rows in (await dump(database_url)).items()}
    told["log"] = replica.process.output
    assert {place: found for place, text in told.items() if (found := found_in(text, CANARIES))} == {}
    heard = "\n".join(echo.heard)
    carried = {name: json.dumps(VALUES[name])[1:-1] for name in ("header", "plain", "notice", "body", "password")}
    assert [name for name, value in carried.items() if value not in heard] == []


async def _store(url: str, headers: dict[str, str]) -> None:
    """As they were stored before anything was encrypted; taken away again before the tables are searched."""
    database = connect(url)
    async with database.begin() as connection:
        await connection.execute(update(cron_jobs).where(cron_jobs.c.name == "old").values(headers=headers))
    await database.close()


def test_a_canary_is_found_in_every_form() -> None:
    for before in ("", "m", "me", "me:"):
        text = b64encode(f"{before}{VALUES['header']} and more".encode()).decode()
        assert found_in(text, [VALUES["header"]])
    assert all(len(form) >= 12 for form in forms(VALUES["header"]))
