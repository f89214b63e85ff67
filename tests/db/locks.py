"""Transactions that are held open, and who waits for them, on PostgreSQL and MariaDB."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

import asyncmy
import asyncpg
import asyncpg.transaction

from tests.servers import mariadb
from tests.servers.postgres import plain_dsn

BOUND = 10.0


class Gate(Protocol):
    """A lock that is held until `open`."""

    async def open(self) -> None:
        """Let go; a second time does no harm."""

    async def until_waiting(self, sessions: int) -> None:
        """Return as soon as so many sessions of this database wait for a lock."""


@asynccontextmanager
async def gate(url: str, statement: str) -> AsyncIterator[Gate]:
    """Hold what the statement locks, which is written as PostgreSQL has it."""
    held = _mariadb_gate(url, statement) if url.startswith("mariadb") else _postgres_gate(url, statement)
    async with held as found:
        yield found
        await found.open()


class _PostgresGate:
    def __init__(self, connection: asyncpg.Connection, transaction: asyncpg.transaction.Transaction) -> None:
        self._connection = connection
        self._transaction = transaction

    async def open(self) -> None:
        if self._connection.is_in_transaction():
            await self._transaction.rollback()

    async def until_waiting(self, sessions: int) -> None:
        query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        async with asyncio.timeout(BOUND):
            while await self._connection.fetchval(query) < sessions:
                await self._connection.execute("SELECT pg_stat_clear_snapshot()")


@asynccontextmanager
async def _postgres_gate(url: str, statement: str) -> AsyncIterator[Gate]:
    connection = await asyncpg.connect(plain_dsn(url))
    try:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute(statement)
        yield _PostgresGate(connection, transaction)
    finally:
        await connection.close(timeout=BOUND)


_WAITING = """
SELECT count(*) FROM information_schema.processlist AS session
LEFT JOIN information_schema.innodb_trx AS trx ON trx.trx_mysql_thread_id = session.id
WHERE session.db = DATABASE() AND (trx.trx_state = 'LOCK WAIT' OR session.state LIKE 'Waiting for % lock')
"""


class _MariadbGate:
    """A table that is locked is watched from another connection, which may read others."""

    def __init__(self, holding: asyncmy.Connection, watching: asyncmy.Connection) -> None:
        self._holding = holding
        self._watching = watching

    async def open(self) -> None:
        await self._holding.rollback()
        await _send(self._holding, "UNLOCK TABLES")

    async def until_waiting(self, sessions: int) -> None:
        async with asyncio.timeout(BOUND), self._watching.cursor() as cursor:
            found = 0
            while found < sessions:
                await cursor.execute(_WAITING)
                [(found,)] = await cursor.fetchall()
                await cursor.execute("DO SLEEP(0.11)")  # who asks sooner is told what InnoDB knew before


@asynccontextmanager
async def _mariadb_gate(url: str, statement: str) -> AsyncIterator[Gate]:
    arguments = mariadb.arguments(url)
    holding = await asyncmy.connect(**arguments | {"autocommit": False})
    watching = await asyncmy.connect(**arguments)
    try:
        await _send(holding, _as_mariadb_has_it(statement))
        yield _MariadbGate(holding, watching)
    finally:
        for connection in (holding, watching):
            await connection.ensure_closed()


async def _send(connection: asyncmy.Connection, statement: str) -> None:
    async with connection.cursor() as cursor:
        await cursor.execute(statement)


def _as_mariadb_has_it(statement: str) -> str:
    words = statement.split()
    if words[:2] == ["LOCK", "TABLE"]:
        return f"LOCK TABLES {words[2]} READ"
    return statement.replace("SELECT FROM", "SELECT 1 FROM", 1)


async def terminate_all(url: str) -> None:
    """End every session of this database but our own."""
    if url.startswith("mariadb"):
        found = await mariadb.execute(
            url, "SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()"
        )
        await mariadb.execute(url, *(f"KILL {session}" for (session,) in found))
        return
    admin = await asyncpg.connect(plain_dsn(url))
    try:
        await admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    finally:
        await admin.close()
