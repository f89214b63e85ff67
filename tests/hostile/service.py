"""The whole service in this process: the API, a scheduler and a real caller whose name server the test is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aiohttp.abc import AbstractResolver
from httpx2 import AsyncClient

from app.config import Settings
from app.db.engine import connect
from app.domain.clock import SystemClock
from app.main import build_scheduler, build_secrets, build_services
from app.metrics import Metrics
from app.service.revealing import Revealer
from app.target.address import LINES
from app.target.caller import HttpTarget
from app.target.reach import Reach
from tests.api.building import PAGE_KEY, build_app, client_of
from tests.e2e.client import eventually
from tests.sealing import KEY

EVERYTHING = " ".join(str(line.network) for line in LINES)
"""What `any` doesn't reach as well, named line by line."""

ENDED = {"succeeded", "failed", "lost", "canceled", "skipped"}
Run = dict[str, Any]


class Service:
    """`target` is the real caller. An exception that the API lets through is the test's."""

    def __init__(self, client: AsyncClient, target: HttpTarget) -> None:
        self.client = client
        self.target = target

    async def run(self, jobs: Mapping[str, Mapping[str, Any]], until: Collection[str] = ENDED) -> dict[str, Run]:
        """Create each job and trigger it; its run as it ended, or came to one of these states."""
        plain = {"schedule": "@manual", "retry": {"max_attempts": 1}, "timeout_seconds": 10}
        for name, fields in jobs.items():
            made = await self.client.post("/v1/jobs", json=plain | {"name": name} | dict(fields))
            assert made.status_code == 201, f"{name}: {made.text}"
            assert (await self.client.post(f"/v1/jobs/{name}/trigger")).status_code < 300
        found: dict[str, Run] = {}

        async def all_ended() -> bool:
            for name in jobs.keys() - found.keys():
                run = await self.last_run(name)
                if run["state"] in until:
                    found[name] = run
            return len(found) == len(jobs)

        await eventually(all_ended, timeout=45)
        return found

    async def last_run(self, name: str) -> Run:
        answer = await self.client.get(f"/v1/jobs/{name}/runs", params={"limit": 1})
        run: Run = answer.json()["items"][0]
        return run


@asynccontextmanager
async def serving(database_url: str, reach: Reach, resolver: AbstractResolver | None = None) -> AsyncIterator[Service]:
    """Jobs are taken whatever their endpoint is, so that it is the caller which has to refuse them."""
    settings = Settings(
        database_url=database_url, targets="any", targets_allow=EVERYTHING, per_host_concurrency=200, secret_keys=KEY
    )
    database = connect(database_url)
    secrets, clock = build_secrets(settings, database), SystemClock()
    reveal = Revealer(secrets.known, clock)
    target = HttpTarget(reach, clock, "1.2.3", resolver=resolver, public_url="http://service.test", reveal=reveal)
    scheduler = build_scheduler(settings, database, target, Metrics())
    services = build_services(settings, database, scheduler, secrets, PAGE_KEY)
    await target.open()
    await scheduler.start()
    try:
        async with client_of(build_app(services)) as client:
            yield Service(client, target)
    finally:
        async with asyncio.timeout(30):
            await scheduler.stop(1)
        await target.close()
        await database.close()
