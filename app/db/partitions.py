"""Daily partitions of `job_runs` on PostgreSQL; elsewhere the table is one."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.engine import Database

DAYS_AHEAD = 14
_NO_PARTITION = "23514"


def is_missing_partition(error: BaseException) -> bool:
    """Whether an insert found no partition for its day."""
    return isinstance(error, IntegrityError) and getattr(error.orig, "sqlstate", None) == _NO_PARTITION


async def ensure_partitions(database: Database, instants: Iterable[datetime] = ()) -> None:
    """Make the partitions of today and the days ahead, and of the days of `instants`."""
    if database.dialect != "postgresql":
        return
    async with database.begin() as connection:
        now = await connection.scalar(text("SELECT clock_timestamp()"))
        ahead = (now + timedelta(days=days) for days in range(DAYS_AHEAD + 1))
        await make_partitions(connection, (*ahead, *instants))


async def make_partitions(connection: AsyncConnection, instants: Iterable[datetime]) -> None:
    """Make those of the days of `instants` that are missing, in the caller's transaction."""
    if connection.dialect.name != "postgresql":
        return
    wanted = {instant.astimezone(UTC).date() for instant in instants}
    if missing := wanted - await _existing(connection):
        await connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('cronledger partitions'))"))
        for day in sorted(missing - await _existing(connection)):
            await _make(connection, day)


async def _existing(connection: AsyncConnection) -> set[date]:
    names = await connection.scalars(
        text("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'job_runs'::regclass")
    )
    return {datetime.strptime(name.removeprefix("job_runs_"), "%Y%m%d").replace(tzinfo=UTC).date() for name in names}


async def _make(connection: AsyncConnection, day: date) -> None:
    """CREATE TABLE ... PARTITION OF would block behind any reader of the ledger; LIKE and ATTACH doesn't."""
    name = f"job_runs_{day:%Y%m%d}"
    await connection.execute(text(f"CREATE TABLE {name} (LIKE job_runs INCLUDING ALL)"))
    await connection.execute(
        text(
            f"ALTER TABLE job_runs ATTACH PARTITION {name} "
            f"FOR VALUES FROM ('{day} 00:00:00+00') TO ('{day + timedelta(days=1)} 00:00:00+00')"
        )
    )
