"""Replicas in this process, in time that the test moves; and what holds after every test with replicas as processes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from app.db import migrate
from app.domain.clock import FakeClock
from tests.e2e.audited import nothing_is_unaccounted
from tests.servers.postgres import PostgresServer
from tests.unit.scheduler.building import NOON
from tests.unit.scheduler.replica import Replica, ServerClock, running


@pytest.fixture(scope="session")
def postgres_template(postgres_server: PostgresServer) -> Iterator[str]:
    """With the partitions that a replica would make as it starts."""
    url = postgres_server.create_database()
    migrate.upgrade(url)
    yield url
    postgres_server.drop_database(url)


@pytest.fixture(autouse=True)
def everything_is_accounted_for(request: pytest.FixtureRequest) -> Iterator[None]:
    """Set up before the replicas, and so looked at when they are gone."""
    names = [name for name in ("database_url", "contended_url", "postgres_url") if name in request.fixturenames]
    url = str(request.getfixturevalue(names[0])) if names and "replicas" in request.fixturenames else None
    yield
    if url is not None:
        asyncio.run(nothing_is_unaccounted(url, None))


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOON)


@pytest.fixture
def server(clock: FakeClock) -> ServerClock:
    return ServerClock(clock)


@pytest.fixture
async def replica(database_url: str, clock: FakeClock, server: ServerClock) -> AsyncIterator[Replica]:
    async with running(database_url, clock, server) as started:
        yield started
