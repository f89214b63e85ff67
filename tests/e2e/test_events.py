"""The event stream of real replicas."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any
from uuid import UUID

import aiohttp
from sqlalchemy import select

from app.db.engine import connect
from app.db.events import EventLog
from app.db.horizon import Horizon
from app.db.trace_tables import events
from app.db.types import AnyRow
from tests.e2e.client import Api, eventually
from tests.e2e.following import Follower
from tests.servers.balancer import Balancer
from tests.servers.replica import Replica, Replicas
from tests.servers.sink import Sink


async def test_no_event_is_missing_or_out_of_order_where_the_replica_that_tells_them_is_killed(
    contended_url: str, replicas: Replicas, sink: Sink
) -> None:
    settings = {"LEASE_SECONDS": "2"}
    one, other = await replicas.start(contended_url, settings), await replicas.start(contended_url, settings)
    async with Balancer([one.port, other.port]) as balancer:
        await kill_while_streaming(contended_url, balancer.url, one, other, sink, followers=2)


async def kill_while_streaming(
    database_url: str, url: str, doomed: Replica, survivor: Replica, sink: Sink, *, followers: int
) -> None:
    """Busy jobs; what each follower has read over all its connections is what stands in the table."""
    api = Api(survivor.url)
    async with AsyncExitStack() as stack:
        following = [await stack.enter_async_context(Follower(url)) for _ in range(followers)]
        for number in range(20):
            await api.create(f"job-{number}", f"{sink.url}/{number}")
        for each in following:
            await each.until_events(100)
        await doomed.kill()
        seen = len(following[0].events)
        for number in range(20):
            await api.post(f"/v1/jobs/job-{number}/trigger")
        await following[0].until_events(seen + 200)
        for number in range(20):
            await api.delete(f"job-{number}")
        await eventually(lambda: _all_ended(api), timeout=20)
        rows = await _rows(database_url, min(each.begun or 0 for each in following))
        for each in following:
            await each.until(rows[-1]["id"])
            told = [event for event in each.events if event["id"] <= rows[-1]["id"]]
            assert [_facts(event) for event in told] == [row for row in rows if row["id"] > (each.begun or 0)]
            assert {event["event"] for event in told} == {"job", "run"}
        assert any(each.connections > 1 for each in following)
    _each_run_in_order(rows)
    await api.close()


async def test_sigterm_ends_streams_at_once_and_whole(database_url: str, replicas: Replicas) -> None:
    """Whoever is cut off by force does not get the end of the answer."""
    replica = await replicas.start(database_url)
    async with aiohttp.ClientSession() as client, client.get(f"{replica.url}/v1/events") as answer:
        assert await answer.content.readline() == b"retry: 1000\n"
        ending = asyncio.create_task(replica.terminate())
        async with asyncio.timeout(10):
            await answer.content.read()
        assert await ending == 0


def _facts(event: dict[str, Any]) -> dict[str, Any]:
    return {name: event[name] for name in ("id", "kind", "job_id", "run_id", "job_version")}


def _each_run_in_order(rows: list[dict[str, Any]]) -> None:
    """Begun before it ended; a job is made first and deleted last."""
    of_runs: dict[str, list[str]] = {}
    for row in rows:
        of_runs.setdefault(row["run_id"] or row["job_id"], []).append(row["kind"])
    assert len(of_runs) > 100
    for kinds in of_runs.values():
        if kinds[0].startswith("job"):
            assert (kinds[0], kinds[-1]) == ("job.created", "job.deleted")
        else:
            assert kinds[-1] in {"run.succeeded", "run.skipped", "run.canceled", "run.failed"}
            assert kinds.count(kinds[-1]) == 1


async def _rows(database_url: str, after: int) -> list[dict[str, Any]]:
    event = events.c
    query = select(event.id, event.kind, event.job_id, event.run_id, event.job_version)
    database = connect(database_url)
    try:
        await EventLog(database).move(Horizon())  # on MariaDB they are there once somebody has looked
        async with database.read() as connection:
            found = await connection.execute(query.where(event.id > after).order_by(event.id))
            return [_told(row) for row in found]
    finally:
        await database.close()


def _told(row: AnyRow) -> dict[str, Any]:
    return {name: str(value) if isinstance(value, UUID) else value for name, value in row._asdict().items()}


async def _all_ended(api: Api) -> bool:
    return all(run["state"] not in {"pending", "running", "waiting"} for run in await api.runs())
