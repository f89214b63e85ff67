"""Daily partitions of the ledger's tables on PostgreSQL; elsewhere each table is one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta

from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.engine import Database

DAYS_AHEAD = 14
PARTITIONED = ("job_runs", "job_attempts")
"""By `ledger_at`, a day each."""

EVENTS = ("events",)
"""By `at`, a day each: what happens is always of today, so that only the days ahead are made."""

_NO_PARTITION = "23514"
_PARTITIONS = text(
    "SELECT relname FROM pg_inherits JOIN pg_class ON oid = inhrelid WHERE inhparent = CAST(:table AS regclass)"
)


class PartitionKeeper:
    """See `scheduler.ports.Keeper`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def tend(self) -> bool:
        """So that the inserts of a new day find its partition made."""
        await ensure_partitions(self._database)
        return False


def is_missing_partition(error: BaseException) -> bool:
    """Whether an insert found no partition for its day."""
    return isinstance(error, IntegrityError) and getattr(error.orig, "sqlstate", None) == _NO_PARTITION


async def ensure_partitions(database: Database, instants: Iterable[datetime] = ()) -> None:
    """Make the partitions of today and the days ahead, and of the days of `instants`."""
    if database.dialect != "postgresql":
        return
    async with database.begin() as connection:
        now = await connection.scalar(text("SELECT clock_timestamp()"))
        ahead = [now + timedelta(days=days) for days in range(DAYS_AHEAD + 1)]
        await make_partitions(connection, (*ahead, *instants))
        await make_partitions(connection, ahead, EVENTS)


async def make_partitions(
    connection: AsyncConnection, instants: Iterable[datetime], tables: Sequence[str] = PARTITIONED
) -> None:
    """Make those of the days of `instants` that are missing, in the caller's transaction."""
    if connection.dialect.name != "postgresql":
        return
    days = {instant.astimezone(UTC).date() for instant in instants}
    if await _missing(connection, days, tables):
        # For two who make the same at once: the second one looks again.
        await connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('cronledger partitions'))"))
        for table, day in await _missing(connection, days, tables):
            await _make(connection, table, day)


async def _missing(connection: AsyncConnection, days: Iterable[date], tables: Sequence[str]) -> list[tuple[str, date]]:
    """Those that have no partition of our name, in order; partitions of other names may be there, and are let be.

    A day with a partition of the first table, which is that of runs, has one of each table.
    """
    found = {(table, name) for table in tables for name in await connection.scalars(_PARTITIONS, {"table": table})}
    known = {day for table, name in found if table == tables[0] and (day := partition_day(table, name))}
    return [
        (table, day)
        for day in sorted({*days, *known})
        for table in tables
        if (table, partition_name(table, day)) not in found
    ]


def partition_name(table: str, day: date) -> str:
    return f"{table}_{day:%Y%m%d}"


def partition_day(table: str, name: str) -> date | None:
    """The day of a partition of our name."""
    try:
        day = datetime.strptime(name, f"{table}_%Y%m%d").replace(tzinfo=UTC).date()
    except ValueError:
        return None
    return day if partition_name(table, day) == name else None


async def _make(connection: AsyncConnection, table: str, day: date) -> None:
    """CREATE TABLE ... PARTITION OF would block behind any reader of the ledger; LIKE and ATTACH doesn't."""
    name = partition_name(table, day)
    await connection.execute(text(f"CREATE TABLE {name} (LIKE {table} INCLUDING ALL)"))
    await connection.execute(
        text(
            f"ALTER TABLE {table} ATTACH PARTITION {name} "
            f"FOR VALUES FROM ('{day} 00:00:00+00') TO ('{day + timedelta(days=1)} 00:00:00+00')"
        )
    )
