from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient

from app.db.engine import Database, connect
from app.service.keys import bootstrap
from app.service.services import Services
from tests.api.building import ADMIN, build_app, build_scheduler, build_services, client_of


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    opened = connect(database_url)
    yield opened
    await opened.close()


@pytest.fixture
def services(database: Database) -> Services:
    """Nothing is claimed or called: the scheduler is not started."""
    return build_services(database, build_scheduler(database))


@pytest.fixture
def api(services: Services) -> FastAPI:
    return build_app(services)


@pytest.fixture
async def client(api: FastAPI) -> AsyncIterator[AsyncClient]:
    async with client_of(api) as opened:
        yield opened


@pytest.fixture
async def admin(api: FastAPI, database: Database) -> AsyncIterator[AsyncClient]:
    """With the first key."""
    await bootstrap(database, ADMIN)
    async with client_of(api) as opened:
        opened.headers["Authorization"] = f"Bearer {ADMIN}"
        yield opened
