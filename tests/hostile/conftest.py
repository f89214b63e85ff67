"""Whatever is tried, nothing of it is unexpected."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator

import pytest
from httpx2 import AsyncClient

from app.db.engine import connect
from app.domain.api_key import compose
from app.service.keys import bootstrap
from app.service.services import Services
from tests.api.building import build_app, build_scheduler, build_services, client_of


@pytest.fixture(autouse=True)
def nothing_was_unexpected(capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    yield
    captured = capfd.readouterr()
    assert "Traceback" not in captured.out + captured.err
    assert [record for record in caplog.get_records("call") if record.levelno >= logging.ERROR] == []


@pytest.fixture
async def services(database_url: str) -> AsyncIterator[Services]:
    """Nothing is claimed or called: the scheduler is not started."""
    database = connect(database_url)
    yield build_services(database, build_scheduler(database))
    await database.close()


@pytest.fixture
async def admin(services: Services) -> AsyncIterator[AsyncClient]:
    """With the first key. An exception that the API lets through is a 500, as a server would have it."""
    key = compose(bytes(32))
    await bootstrap(services.database, key)
    async with client_of(build_app(services), raises=False) as client:
        client.headers["Authorization"] = f"Bearer {key}"
        yield client
