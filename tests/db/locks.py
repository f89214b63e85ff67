"""Transactions that are held open, and who waits for them, on PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from tests.servers.postgres import plain_dsn

BOUND = 10.0


class Gate:
    """A lock that is held until `open`."""

    def __init__(self, connection: asyncpg.Connection, transaction: asyncpg.transaction.Transaction) -> None:
        self._connection = connection
        self._transaction = transaction

    async def open(self) -> None:
        """Let go; a second time does no harm."""
        if self._connection.is_in_transaction():
            await self._transaction.rollback()

    async def until_waiting(self, sessions: int) -> None:
        """Return as soon as so many sessions of this database wait for a lock."""
        query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        async with asyncio.timeout(BOUND):
            while await self._connection.fetchval(query) < sessions:
                await self._connection.execute("SELECT pg_stat_clear_snapshot()")


@asynccontextmanager
async def gate(url: str, statement: str) -> AsyncIterator[Gate]:
    """Hold what the statement locks."""
    connection = await asyncpg.connect(plain_dsn(url))
    try:
        transaction = connection.transaction()
        await transaction.start()
        held = Gate(connection, transaction)
        await connection.execute(statement)
        yield held
        await held.open()
    finally:
        await connection.close(timeout=BOUND)
