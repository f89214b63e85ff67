"""What tests of every kind share: real servers, and a migrated database of each kind for whoever asks."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.servers.few_days import leave_two_days
from tests.servers.mariadb import MariadbServer, running_mariadb
from tests.servers.postgres import PostgresServer, running_postgres
from tests.servers.replica import Replicas
from tests.servers.sink import Sink

EVERYWHERE = ("sqlite", "postgresql")
STORES = tuple(os.environ.get("CRONLEDGER_TEST_STORES", " ".join(EVERYWHERE)).split())
"""The stores on which behaviour is tested. `mariadb`, which has to be installed, is one that is named."""

CONTENDED = tuple(store for store in STORES if store != "sqlite")
"""Those whose transactions wait for each other: SQLite has one writer."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where stores are named, the tests that run on them, and no others."""
    chosen = [item for item in items if _runs_here(set(getattr(item, "fixturenames", ())))]
    if len(chosen) < len(items):
        config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
        items[:] = chosen


def _runs_here(fixtures: set[str]) -> bool:
    if "mariadb_server" in fixtures:  # what only MariaDB can show
        return "mariadb" in STORES
    if "postgres_server" in fixtures:
        return "postgresql" in STORES
    return STORES == EVERYWHERE or not fixtures.isdisjoint({"database_url", "empty_database_url", "contended_url"})


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In CI a skipped test is a failure: it would hide that something was not looked at."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") == "true" and reporter is not None and reporter.stats.get("skipped"):
        reporter.ensure_newline()
        reporter.write_line("Tests were skipped, which CI does not accept.", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """One server per test process, or the one that CRONLEDGER_TEST_POSTGRES_URL leads to."""
    if url := os.environ.get("CRONLEDGER_TEST_POSTGRES_URL"):
        with PostgresServer(url).connected() as server:
            yield server
        return
    with running_postgres() as process, PostgresServer(process.url).connected() as server:
        yield server


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[MariadbServer]:
    """One server per test process, or the one that CRONLEDGER_TEST_MARIADB_URL leads to."""
    if url := os.environ.get("CRONLEDGER_TEST_MARIADB_URL"):
        yield MariadbServer(url)
        return
    with running_mariadb() as process:
        yield MariadbServer(process.url)


@pytest.fixture(scope="session")
def mariadb_template(mariadb_server: MariadbServer) -> Iterator[str]:
    url = mariadb_server.create_database()
    _migrate(url)
    yield url
    mariadb_server.drop_database(url)


@pytest.fixture(scope="session")
def postgres_template(postgres_server: PostgresServer) -> Iterator[str]:
    url = postgres_server.create_database()
    _migrate(url)
    leave_two_days(url)
    yield url
    postgres_server.drop_database(url)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "cronledger.db"
    _migrate(sqlite_url_of(path))
    return path


@pytest.fixture
def postgres_url(postgres_server: PostgresServer, postgres_template: str) -> Iterator[str]:
    """A migrated database of the test's own on PostgreSQL."""
    url = postgres_server.create_database(postgres_template)
    yield url
    postgres_server.drop_database(url)


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """A migrated database of the test's own on SQLite."""
    path = tmp_path / "cronledger.db"
    shutil.copy(sqlite_template, path)
    return sqlite_url_of(path)


@pytest.fixture
def mariadb_url(mariadb_server: MariadbServer, mariadb_template: str) -> Iterator[str]:
    """A migrated database of the test's own on MariaDB."""
    url = mariadb_server.create_database(mariadb_template)
    yield url
    mariadb_server.drop_database(url)


_URLS = {"sqlite": "sqlite_url", "postgresql": "postgres_url", "mariadb": "mariadb_url"}


@pytest.fixture(params=STORES)
def database_url(request: pytest.FixtureRequest) -> str:
    """A migrated database of the test's own, on each store in turn."""
    return str(request.getfixturevalue(_URLS[request.param]))


@pytest.fixture(params=CONTENDED)
def contended_url(request: pytest.FixtureRequest) -> str:
    """The same where transactions wait for each other."""
    return str(request.getfixturevalue(_URLS[request.param]))


@pytest.fixture(params=STORES)
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database in which there is nothing yet, on each store in turn."""
    if request.param == "sqlite":
        yield sqlite_url_of(tmp_path / "empty.db")
        return
    named = "postgres_server" if request.param == "postgresql" else "mariadb_server"
    server: PostgresServer | MariadbServer = request.getfixturevalue(named)
    url = server.create_database()
    yield url
    server.drop_database(url)


@pytest.fixture
async def sink() -> AsyncIterator[Sink]:
    async with Sink() as target:
        yield target


@pytest.fixture
async def replicas() -> AsyncIterator[Replicas]:
    """Start `cronledger serve` with `await replicas.start(database_url, {"LEASE_SECONDS": "2"})`."""
    started = Replicas()
    yield started
    await started.close()


def sqlite_url_of(path: Path) -> str:
    return f"sqlite+aiosqlite:///{path}"


def _migrate(url: str) -> None:
    from app.db import migrate  # noqa: PLC0415 (tests that need no database start without SQLAlchemy)

    migrate.upgrade(url)
