"""Two releases on one database: replicas of this one go on, and may start, after the next one has migrated it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx2

from tests.e2e.client import Api, assert_no_gap, eventually, instants, repeated
from tests.servers.next_release import CONTRACT, EXPAND, NextRelease
from tests.servers.replica import Replica, Replicas
from tests.servers.sink import Sink


async def _readiness(replica: Replica) -> tuple[int, str]:
    async with httpx2.AsyncClient() as client:
        answer = await client.get(f"{replica.url}/readyz")
    return answer.status_code, next(
        check["detail"] for check in answer.json()["checks"] if check["name"] == "migrations"
    )


async def test_replicas_go_on_and_start_on_the_schema_of_the_next_release(
    database_url: str, replicas: Replicas, sink: Sink, tmp_path: Path
) -> None:
    one = await replicas.start(database_url)
    api = Api(one.url)
    await api.create("before", f"{sink.url}/before")
    await sink.wait_for(2)
    await NextRelease(tmp_path).migrate(database_url, EXPAND)
    assert await _readiness(one) == (200, "of a later release that allows this one")
    other = await replicas.start(database_url)
    assert await one.terminate() == 0
    await api.close()
    api = Api(other.url)
    await api.create("after", f"{sink.url}/after")
    since = len(sink.calls)
    await sink.wait_for(since + 6)
    for name in ("before", "after"):
        await api.delete(name)
        assert_no_gap(instants([run for run in await api.runs() if run["job_name"] == name]))
        assert not repeated([call for call in sink.calls if call.path == f"/{name}"])
    await api.close()


async def test_a_release_whose_columns_are_gone_says_so_and_starts_no_more(
    database_url: str, replicas: Replicas, tmp_path: Path
) -> None:
    replica = await replicas.start(database_url)
    later = NextRelease(tmp_path)
    await later.migrate(database_url, CONTRACT)

    async def unready() -> bool:
        return await _readiness(replica) == (503, "of a later release that has removed what this one uses")

    await eventually(unready)
    late = Replica(database_url)
    try:
        await late.launch()
        assert await asyncio.to_thread(late.process.wait) == 3
        assert "Start the later release" in late.process.output
        assert "Traceback" not in late.process.output
    finally:
        await late.kill()
