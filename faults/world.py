"""What a row of the table acts upon: PostgreSQL, replicas, a sink, and jobs; all of them real processes."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import httpx2

from app.db import migrate
from faults.check import Found, check
from faults.due import SCHEDULES
from faults.facts import Facts, Job, Offsets
from faults.ledger import Ledger
from faults.target import Target
from tests.mess.clock import Clock
from tests.servers.postgres import PostgresProcess, PostgresServer, running_postgres
from tests.servers.replica import Replica

LEASE = 3.0
SETTINGS = {
    "LEASE_SECONDS": f"{LEASE:g}",
    "CONCURRENCY": "200",
    "PER_HOST_CONCURRENCY": "200",
    "LOG_LEVEL": "warning",
    "POLL_SECONDS": "1",
}
_migrating = threading.Lock()
PATIENCE = 25.0
"""Seconds for the last runs to end in; what goes on after that is stuck."""


class World:
    """`clock` is the database's, where it is not the machine's."""

    def __init__(self, postgres: PostgresProcess, url: str, clock: Clock | None = None) -> None:
        self.postgres = postgres
        self.url = url
        self.clock = clock
        self.ledger = Ledger(url)
        self.target = Target()
        self.began = time.time()
        self.replicas: list[Replica] = []
        self.jobs: list[Job] = []
        self.marks: list[tuple[float, str]] = []
        self.offsets = [(0.0, clock.offset if clock else 0.0)]

    async def close(self) -> None:
        await asyncio.gather(*(replica.kill() for replica in self.replicas))
        self.target.kill()

    async def add_replicas(self, count: int = 1, url: str | None = None, **settings: str) -> list[Replica]:
        added = [Replica(url or self.url, SETTINGS | settings) for _ in range(count)]
        await self.start(*added)
        return added

    async def start(self, *replicas: Replica) -> None:
        self.replicas += [each for each in replicas if each not in self.replicas]
        await asyncio.gather(*(each.start(timeout=60) for each in replicas))

    def mark(self, what: str) -> None:
        """A fault, for the picture."""
        self.marks.append((time.time(), what))

    async def step(self, seconds: float) -> None:
        """Put the database's clock on, or back."""
        assert self.clock is not None
        self.clock.put_on(self.clock.now() + timedelta(seconds=seconds))
        self.offsets.append((time.time(), self.clock.offset))

    async def post_jobs(
        self, prefix: str, count: int, every: int = 1, path: str = "/", *, may_fail: bool = False, **fields: Any
    ) -> list[Job]:
        """Jobs that are due from a few seconds from now on; those that took longer to make, from then on."""
        first = (await self.ledger.now() + timedelta(seconds=2 + count / 60)).replace(microsecond=0)
        body = {"schedule": SCHEDULES[every], "starts_at": first.isoformat(), "overlap": "allow"} | fields
        body.setdefault("endpoint", self.target.url + path)
        once = body.get("delivery") == "at_most_once"
        names = iter([f"{prefix}-{number}" for number in range(count)])
        made: list[Job] = []

        async def post(client: httpx2.AsyncClient) -> None:
            for name in names:
                answer = await client.post("/v1/jobs", json=body | {"name": name})
                assert answer.status_code == 201, answer.text
                job = answer.json()
                since = max(first, datetime.fromisoformat(job["created_at"]))
                made.append(Job(UUID(job["id"]), name, every, since, once, may_fail))

        async with httpx2.AsyncClient(base_url=self.replicas[0].url, timeout=30) as client:
            await asyncio.gather(*(post(client) for _ in range(min(count, 8))))
        self.jobs += made
        await asyncio.sleep(max((first - await self.ledger.now()).total_seconds(), 0))
        return made

    async def settle(self, end: datetime, patience: float = PATIENCE) -> None:
        """Wait until all that was due by then has ended, or for as long as patience lasts."""
        give_up = time.monotonic() + patience
        while not await self.ledger.settled(end) and time.monotonic() < give_up:
            await asyncio.sleep(0.3)

    async def facts(self, end: datetime) -> Facts:
        return Facts(
            end=end,
            jobs=self.jobs,
            runs=await self.ledger.runs(),
            attempts=await self.ledger.attempts(),
            spans=await self.ledger.spans(),
            calls=await asyncio.to_thread(self.target.calls),
            waiting=await self.ledger.waiting(end),
            offsets=Offsets(self.offsets),
        )

    async def finish(self, end: datetime | None = None) -> Found:
        """Let nothing more be claimed, wait until what was has come to rest, stop the replicas, and check."""
        end = end or await self.ledger.now()
        async with httpx2.AsyncClient(base_url=self.replicas[0].url, timeout=30) as client:
            paused = await client.post("/v1/scheduler/pause")
            assert paused.is_success, paused.text
        await self.settle(end)
        await self.stop()
        return check(await self.facts(end))

    async def stop(self) -> None:
        running = [each for each in self.replicas if each.process.running]
        for status, replica in zip(await asyncio.gather(*(each.terminate() for each in running)), running, strict=True):
            assert status == 0, replica.process.output


def migrated(url: str) -> None:
    """Alembic works with globals, and worlds are made side by side."""
    with _migrating:
        migrate.upgrade(url)


@asynccontextmanager
async def world(
    clock: Clock | None = None, *, host: str = "127.0.0.1", within: Sequence[str] = ()
) -> AsyncIterator[World]:
    """A server of its own, as durable as PostgreSQL is by itself; `host` and `within` are PostgresProcess's."""
    faked = dict(clock.environment) if clock else {}
    serving = running_postgres(durable={}, environment=faked, host=host, within=within)
    postgres = await asyncio.to_thread(serving.__enter__)  # in threads, since other worlds go on meanwhile
    try:
        url = PostgresServer(postgres.url).create_database()
        await asyncio.to_thread(migrated, url)
        made = World(postgres, url, clock)
        try:
            yield made
        finally:
            await made.close()
    finally:
        await asyncio.to_thread(serving.__exit__, None, None, None)
