from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import pytest

from app.db import partitions
from app.domain.clock import FakeClock
from tests.db.building import NOON, Ledger, opened
from tests.servers.postgres import plain_dsn

_AHEAD = partitions.DAYS_AHEAD


@pytest.fixture(autouse=True)
def two_days_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in the template: the partitions of two weeks would take longer to make than most tests take."""
    monkeypatch.setattr(partitions, "DAYS_AHEAD", 1)


@pytest.fixture
def two_weeks_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a service makes them."""
    monkeypatch.setattr(partitions, "DAYS_AHEAD", _AHEAD)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOON)


@pytest.fixture
async def ledger(database_url: str, clock: FakeClock) -> AsyncIterator[Ledger]:
    """On each dialect in turn."""
    async with opened(database_url, clock) as ledger:
        yield ledger


@pytest.fixture
async def postgres(postgres_url: str, clock: FakeClock) -> AsyncIterator[Ledger]:
    """What only PostgreSQL can show."""
    async with opened(postgres_url, clock) as ledger:
        yield ledger


@pytest.fixture
async def contended(contended_url: str, clock: FakeClock) -> AsyncIterator[Ledger]:
    """Where transactions wait for each other, on each dialect in turn."""
    async with opened(contended_url, clock) as ledger:
        yield ledger


@pytest.fixture
async def rival(request: pytest.FixtureRequest, clock: FakeClock) -> AsyncIterator[Ledger]:
    """Another process on the same database."""
    of = next(name for name in ("database_url", "contended_url", "postgres_url") if name in request.fixturenames)
    async with opened(request.getfixturevalue(of), clock) as ledger:
        yield ledger


@pytest.fixture
async def mariadb(mariadb_url: str, clock: FakeClock) -> AsyncIterator[Ledger]:
    """What only MariaDB can show."""
    async with opened(mariadb_url, clock) as ledger:
        yield ledger


@pytest.fixture
async def admin(postgres: Ledger) -> AsyncIterator[asyncpg.Connection]:
    """Past the service."""
    connection = await asyncpg.connect(plain_dsn(postgres.url))
    yield connection
    await connection.close()
