from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from httpx2 import AsyncClient

from app.db.engine import Database, connect
from app.domain.clock import FakeClock
from app.service.health import BOUND
from app.service.services import Services
from tests.api.building import build_app, build_scheduler, build_services, client_of
from tests.servers.process import free_port

CHECKS = ["database", "migrations", "loops", "entries", "claiming"]


@pytest.fixture
async def running(services: Services) -> AsyncIterator[Services]:
    await services.scheduler.start()
    yield services
    await services.scheduler.stop(0)


async def checks(client: AsyncClient) -> tuple[int, str, dict[str, bool]]:
    answer = await client.get("/readyz")
    said = answer.json()
    assert [check["name"] for check in said["checks"]] == CHECKS
    assert all(check["detail"] for check in said["checks"])
    return answer.status_code, said["status"], {check["name"]: check["ok"] for check in said["checks"]}


async def test_a_replica_that_runs_is_alive_and_ready(client: AsyncClient, running: Services) -> None:
    async with asyncio.timeout(10):
        while running.scheduler.ticker.loop.last_step is None:
            await client.get("/livez")
    assert await checks(client) == (200, "ready", dict.fromkeys(CHECKS, True))
    alive = await client.get("/livez")
    assert (alive.status_code, alive.json()) == (200, {"status": "ok", "stalled": []})


async def test_a_replica_that_has_not_begun_is_not_ready(client: AsyncClient) -> None:
    status, said, held = await checks(client)
    assert (status, said) == (503, "unready")
    assert held == {"database": True, "migrations": True, "loops": False, "entries": False, "claiming": False}
    assert (await client.get("/livez")).status_code == 200


async def test_a_replica_that_shuts_down_is_unready_at_once(client: AsyncClient, running: Services) -> None:
    running.scheduler.stop_claiming()
    status, _, held = await checks(client)
    assert (status, held["claiming"], held["database"]) == (503, False, True)
    assert (await client.get("/livez")).status_code == 200


async def test_a_database_that_is_not_migrated_is_told(client: AsyncClient, database: Database) -> None:
    async with database.begin() as connection:
        await connection.exec_driver_sql("UPDATE alembic_version SET version_num = '20261124_ledger'")
    _, _, held = await checks(client)
    assert (held["database"], held["migrations"]) == (True, False)


async def test_a_loop_that_stands_still_is_told(database: Database) -> None:
    clock = FakeClock(datetime(2027, 1, 1, tzinfo=UTC))
    scheduler = build_scheduler(database, clock=clock)
    services = build_services(database, scheduler)
    async with client_of(build_app(services)) as client:
        scheduler._running = True
        scheduler.ticker.loop.last_step = clock.monotonic()
        assert (await client.get("/livez")).status_code == 200
        await clock.advance(timedelta(minutes=1))
        stalled = await client.get("/livez")
        assert (stalled.status_code, stalled.json()) == (503, {"status": "stalled", "stalled": ["ticker"]})
        _, _, held = await checks(client)
        assert held["loops"] is False


async def test_a_replica_without_its_database_is_alive_and_unready() -> None:
    database = connect(f"postgresql://nobody@127.0.0.1:{free_port()}/none")
    async with client_of(build_app(build_services(database, build_scheduler(database)))) as client:
        assert (await client.get("/livez")).status_code == 200
        status, _, held = await checks(client)
        assert (status, held["database"], held["migrations"]) == (503, False, False)
        metrics = await client.get("/metrics")
        assert (metrics.status_code, "cronledger_database_up 0.0" in metrics.text) == (200, True)
    await database.close()


async def test_a_database_that_says_nothing_is_not_waited_for() -> None:
    async def hold(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await released.wait()
        writer.close()

    released = asyncio.Event()
    server = await asyncio.start_server(hold, "127.0.0.1", 0)
    database = connect(f"postgresql://nobody@127.0.0.1:{server.sockets[0].getsockname()[1]}/none")
    try:
        async with client_of(build_app(build_services(database, build_scheduler(database)))) as client:
            begun = asyncio.get_running_loop().time()
            status, _, held = await checks(client)
            waited = asyncio.get_running_loop().time() - begun
        assert (status, held["database"]) == (503, False)
        assert waited < BOUND + 1
    finally:
        released.set()
        server.close()
        await database.close()
