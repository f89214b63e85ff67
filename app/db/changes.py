"""Changes of jobs, told by NOTIFY as they are committed. PostgreSQL alone; elsewhere the poll sees them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import structlog
from sqlalchemy import func, make_url, select
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.engine import driver_url
from app.db.pgbouncer import is_behind

CHANNEL = "cronledger_jobs"
LISTENER = "cronledger listener"
"""What it is called in pg_stat_activity."""

_PING_SECONDS = 5.0
_RETRY_SECONDS = 1.0

_log = structlog.get_logger()


async def notify_change(connection: AsyncConnection, job_id: int | None) -> None:
    """Tell every replica when the transaction commits; None says that many jobs changed."""
    if connection.dialect.name == "postgresql":
        await connection.execute(select(func.pg_notify(CHANNEL, "" if job_id is None else str(job_id))))


def change_feed(url: str) -> PostgresChangeFeed | None:
    """None where nothing is told: LISTEN is PostgreSQL's, and takes a session of its own."""
    asked = make_url(url)
    listens = asked.get_backend_name() in {"postgresql", "postgres"} and not is_behind(asked)
    return PostgresChangeFeed(url) if listens else None


class PostgresChangeFeed:
    """See `scheduler.ports.ChangeFeed`. A connection of its own, pinged, since a frozen server says nothing."""

    def __init__(self, url: str) -> None:
        asked = driver_url(url)
        self._connect_options = asked.get_dialect()().create_connect_args(asked)[1]
        self._connect_options["server_settings"] = {"application_name": LISTENER}

    async def listen(self) -> AsyncIterator[int | None]:
        while True:
            try:
                async for change in self._one_connection():
                    yield change
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError) as error:
                _log.warning("not told of changes; looking for them instead", cause=repr(error))
            await asyncio.sleep(_RETRY_SECONDS)

    async def _one_connection(self) -> AsyncIterator[int | None]:
        told: asyncio.Queue[str | None] = asyncio.Queue()
        connection = await asyncpg.connect(**self._connect_options, timeout=_PING_SECONDS)
        try:
            connection.add_termination_listener(lambda _: told.put_nowait(None))
            await connection.add_listener(CHANNEL, lambda *args: told.put_nowait(args[3]))
            yield None
            async for payload in _until_lost(connection, told):
                yield int(payload) if payload else None
        finally:
            connection.terminate()


async def _until_lost(connection: Any, told: asyncio.Queue[str | None]) -> AsyncIterator[str]:
    while True:
        try:
            async with asyncio.timeout(_PING_SECONDS):
                payload = await told.get()
        except TimeoutError:
            await connection.execute("SELECT 1", timeout=_PING_SECONDS)
            continue
        if payload is None:
            return
        yield payload
