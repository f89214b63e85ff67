"""A ledger on PostgreSQL with the partitions of two days alone: a copy costs a third of one with those of two weeks."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import asyncpg

from tests.servers.postgres import plain_dsn

_LATER = """
SELECT inhrelid::regclass::text FROM pg_inherits JOIN pg_class ON oid = inhrelid
WHERE relkind = 'r' AND right(relname, 8) > $1
"""


def leave_two_days(url: str) -> None:
    """Today's and tomorrow's, of all tables."""
    asyncio.run(_drop_after(url, datetime.now(UTC) + timedelta(days=1)))


async def _drop_after(url: str, day: datetime) -> None:
    connection = await asyncpg.connect(plain_dsn(url))
    try:
        for row in await connection.fetch(_LATER, f"{day:%Y%m%d}"):
            await connection.execute(f"DROP TABLE {row[0]}")
    finally:
        await connection.close()
