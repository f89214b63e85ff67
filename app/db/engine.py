"""The connection to the database: an engine, transactions, and what differs between the kinds of databases."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext
from contextvars import ContextVar
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
from sqlalchemy import URL, ColumnElement, event, make_url
from sqlalchemy.dialects import registry
from sqlalchemy.engine import Connection
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from app.db import mariadb, pgbouncer
from app.db.time import MariadbTime, PostgresTime, SqliteTime, TimeSource, sqlite_clock_timestamp
from app.domain.errors import StoreUnavailable

COMMAND_TIMEOUT = 8.0
"""Seconds after which a statement on PostgreSQL is given up: sooner than a loop that is told to stop is cut off."""

PLANNING = {"plan_cache_mode": "force_custom_plan", "enable_bitmapscan": "off", "random_page_cost": "1.1"}
"""A plan kept from when a table was small would read it from end to end, until autovacuum comes by.

Every run that ends leaves a dead entry in the indexes of what is active or pending. An index scan marks those that it
meets, so that the next one passes them over; a bitmap scan visits their rows each time. And what is asked about is of
today, and in memory: taken for pages of a disk, a few hundred rows would cost more than all of a day in its order.
"""

_DRIVERS = {
    "postgresql": "postgresql+asyncpg",
    "postgres": "postgresql+asyncpg",
    "sqlite": "sqlite+aiosqlite",
    "mariadb": "mariadb+cronledger",
    "mysql": "mariadb+cronledger",  # which refuses a server that is none of MariaDB's
}
registry.register("mariadb.cronledger", "app.db.mariadb_dialect", "CronledgerMariaDB")


_before_commit: ContextVar[Callable[[AsyncConnection], Awaitable[None]] | None]
_before_commit = ContextVar("before commit", default=None)


@contextmanager
def before_commit(last: Callable[[AsyncConnection], Awaitable[None]]) -> Iterator[None]:
    """What each transaction that this task begins meanwhile is to do at its end, as its last."""
    token = _before_commit.set(last)
    try:
        yield
    finally:
        _before_commit.reset(token)


_Turn = asyncio.Lock | nullcontext[None]


class Database:
    """An engine with the clock by which its statements judge what is due."""

    def __init__(
        self, engine: AsyncEngine, time: TimeSource, *, turn: _Turn | None = None, commits: bool = True
    ) -> None:
        self.engine = engine
        self.dialect = engine.dialect.name
        self._time = time
        # SQLite has one writer; waiting here in turn is fairer than its busy handler, which sleeps and tries again.
        self._turn = turn or (asyncio.Lock() if self.dialect == "sqlite" else nullcontext())
        self._commits = commits

    def rehearsal(self) -> Database:
        """The same database, of which no transaction is committed."""
        return Database(self.engine, self._time, turn=self._turn, commits=False)

    @property
    def now(self) -> ColumnElement[datetime]:
        return self._time.ago(timedelta(0))

    def ago(self, by: timedelta) -> ColumnElement[datetime]:
        return self._time.ago(by)

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that may write. Raises StoreUnavailable where the database can't be reached."""
        async with self._turn:
            with _outages():
                async with self.engine.begin() if self._commits else self.engine.connect() as connection:
                    yield connection
                    if (last := _before_commit.get()) is not None:
                        await last(connection)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that only reads. Raises StoreUnavailable where the database can't be reached."""
        with _outages():
            async with self.engine.connect() as connection:
                yield await connection.execution_options(read_only=True)

    async def apart(self, statement: str, patience: float) -> None:
        """On PostgreSQL: a statement that refuses to be in a transaction, and may take so many seconds.

        Raises StoreUnavailable as above, also where it took longer. It goes in one message: of several, PgBouncer may
        give each to another session.
        """
        with _outages():
            async with self.engine.connect() as connection:
                driver: Any = (await connection.get_raw_connection()).driver_connection
                try:
                    await driver.execute(statement, timeout=patience)
                except asyncpg.PostgresError as error:
                    raise DBAPIError(statement, None, error) from error
                except asyncpg.InterfaceError as error:
                    raise InterfaceError(statement, None, error) from error
                finally:
                    await connection.invalidate()  # given up, it may be in the middle of anything

    async def close(self) -> None:
        await self.engine.dispose()


@contextmanager
def _outages() -> Iterator[None]:
    try:
        yield
    except (OSError, DBAPIError, PoolTimeoutError, TimeoutError) as error:
        if isinstance(error, DBAPIError) and not is_outage(error):
            raise
        raise StoreUnavailable(remedy="Try again in a moment.") from error


def is_outage(error: DBAPIError) -> bool:
    """Whether a moment later, or on another server, the same may succeed."""
    if mariadb.is_error(error):
        return mariadb.is_passing(error)
    state = str(getattr(error.orig, "sqlstate", None) or "")
    return error.connection_invalidated or isinstance(error, _OUTAGES) or state.startswith(_PASSING)


_OUTAGES = (OperationalError, InterfaceError)
_PASSING = ("08", "25006", "25P03", "40", "53", "55P03", "57", "58")
"""Of PostgreSQL's codes: connection, a standby, a transaction gone silent, deadlock, resources, locks, an operator or a
restart, the system.
"""


def connect(
    url: str, *, pool: int = 10, time: TimeSource | None = None, patience: float | None = COMMAND_TIMEOUT
) -> Database:
    """A database for the URL; nothing is opened before the first statement, which may take `patience` seconds.

    PostgreSQL ends a transaction from which it hears nothing for as long: that of a replica which is frozen, or whose
    network is, would hold its jobs back until it goes on.
    """
    target = driver_url(url)
    if target.get_backend_name() == "sqlite":
        return Database(_sqlite(target), time or SqliteTime())
    pooled = {"pool_size": pool, "max_overflow": 0, "pool_timeout": COMMAND_TIMEOUT}
    if target.get_backend_name() == "mariadb":
        engine = create_async_engine(target, **pooled, **mariadb.connect_options(patience, COMMAND_TIMEOUT))
        return Database(engine, time or MariadbTime())
    idle = {} if patience is None else {"idle_in_transaction_session_timeout": f"{patience * 1000:.0f}"}
    settings = {"application_name": "cronledger"} | PLANNING | idle
    bounced = pgbouncer.is_behind(make_url(url))
    engine = create_async_engine(
        target,
        **pooled,
        connect_args={"command_timeout": patience, "timeout": COMMAND_TIMEOUT}
        | (pgbouncer.options(settings) if bounced else {"server_settings": settings}),
    )
    return Database(engine, time or PostgresTime())


def check_url(text: str) -> None:
    """Raises ValueError, without the password that it may hold."""
    try:
        known = make_url(text).get_backend_name() in _DRIVERS
    except (ArgumentError, ValueError):
        known = False
    if not known:
        raise ValueError("a database is written postgresql://user:password@host/name, mariadb://... or sqlite:///file")


def driver_url(url: str) -> URL:
    """The URL with the asynchronous driver that goes with it, whichever driver it named.

    libpq's `sslmode` is `ssl` to that driver.
    """
    parsed = pgbouncer.without(make_url(url))
    query = {"ssl" if name == "sslmode" else name: value for name, value in parsed.query.items()}
    return parsed.set(drivername=_DRIVERS.get(parsed.get_backend_name(), parsed.drivername), query=query)


def _sqlite(url: URL) -> AsyncEngine:
    if url.database and url.database != ":memory:":
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_async_engine(url)
    event.listen(engine.sync_engine, "connect", connect_sqlite)
    event.listen(engine.sync_engine, "begin", _begin_sqlite)
    return engine


def connect_sqlite(connection: Any, _record: object) -> None:
    """Hand the transactions to us: the driver's own begin late, and then two writers claim the same row."""
    connection.isolation_level = None
    connection.create_function("clock_timestamp", 1, sqlite_clock_timestamp)
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=10000", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    read_only = connection.get_execution_options().get("read_only")
    connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")
