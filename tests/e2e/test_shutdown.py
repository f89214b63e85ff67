from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import sys

from tests.e2e.client import Api, eventually, repeated
from tests.servers.process import Process, free_port
from tests.servers.replica import ROOT, Replicas
from tests.servers.sink import Sink


async def test_sigterm_lets_running_calls_end_and_exits_with_0(
    database_url: str, replicas: Replicas, sink: Sink
) -> None:
    replica = await replicas.start(database_url)
    api = Api(replica.url)
    await api.create("slow", f"{sink.url}/hang", "@manual")
    run = await api.post("/v1/jobs/slow/trigger")
    await sink.wait_for(1)
    ending = asyncio.create_task(replica.terminate())
    sink.release()
    assert await ending == 0
    await api.close()
    after = Api((await replicas.start(database_url)).url)
    assert (await after.get(f"/v1/runs/{run['id']}"))["state"] == "succeeded"
    assert len(sink.calls) == 1
    await after.close()


async def test_a_call_that_outlasts_the_drain_goes_back_to_pending_for_another_replica(
    database_url: str, replicas: Replicas, sink: Sink
) -> None:
    replica = await replicas.start(database_url, {"DRAIN_SECONDS": "0.2"})
    api = Api(replica.url)
    await api.create("slow", f"{sink.url}/hang", "@manual")
    run = await api.post("/v1/jobs/slow/trigger")
    await sink.wait_for(1)
    assert await replica.terminate() == 0
    await api.close()
    after = Api((await replicas.start(database_url)).url)
    again = (await sink.wait_for(2))[1]
    assert again.headers["Cronledger-Attempt"] == "2"
    sink.release()

    async def succeeded() -> bool:
        return bool((await after.get(f"/v1/runs/{run['id']}"))["state"] == "succeeded")

    await eventually(succeeded)
    await after.close()


async def test_a_replica_that_drains_is_unready_and_claims_nothing(
    sqlite_url: str, replicas: Replicas, sink: Sink
) -> None:
    replica = await replicas.start(sqlite_url)
    api = Api(replica.url)
    await api.create("slow", f"{sink.url}/hang", "@manual")
    await api.post("/v1/jobs/slow/trigger")
    await api.create("each-second", f"{sink.url}/tick")
    await sink.wait_for(1, path="/hang")
    replica.process.send(signal.SIGTERM)
    before = len([call for call in sink.calls if call.path == "/tick"])
    path = sqlite_url.partition("///")[2]

    def now_due() -> int:
        with sqlite3.connect(path) as connection:
            query = "SELECT count(*) FROM cron_jobs WHERE next_run < strftime('%Y-%m-%d %H:%M:%f', 'now', '-2 seconds')"
            return int(connection.execute(query).fetchone()[0])

    await eventually(lambda: asyncio.to_thread(lambda: now_due() == 1))
    assert len([call for call in sink.calls if call.path == "/tick"]) <= before + 1
    sink.release()
    assert await replica.terminate() == 0
    await api.close()


async def test_two_workers_of_one_uvicorn_never_call_an_instant_twice(sqlite_url: str, sink: Sink) -> None:
    port = free_port()
    told = {"CRONLEDGER_DATABASE_URL": sqlite_url, "CRONLEDGER_TARGETS": "any", "CRONLEDGER_LOG_LEVEL": "info"}
    command = [sys.executable, "-m", "uvicorn", "--factory", "app.main:create_app", "--workers", "2"]
    process = Process([*command, "--host", "127.0.0.1", "--port", str(port)], cwd=ROOT, env=os.environ | told)
    try:
        await eventually(lambda: _started(process, 2), timeout=30)
        api = Api(f"http://127.0.0.1:{port}")
        await api.create("hello", f"{sink.url}/hello")
        await sink.wait_for(5)
        await api.delete("hello")
        assert not repeated(sink.calls)
        assert len({run["id"] for run in await api.runs()}) >= 5
        await api.close()
    finally:
        await asyncio.to_thread(process.stop, timeout=35)


async def _started(process: Process, workers: int) -> bool:
    return process.output.count("Application startup complete") == workers
