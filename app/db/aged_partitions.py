"""Days that have had their time, on PostgreSQL: whole partitions go, and nobody waits for that.

DETACH ... CONCURRENTLY waits for those who read the table, and keeps nobody else waiting. One that was interrupted
stays behind as pending, a table that was detached and not dropped has MARK as its comment: the next round ends both.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import structlog
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.engine import Database, is_outage
from app.db.partitions import PARTITIONED, partition_day
from app.db.retention import RetentionRepository
from app.db.tables import ACTIVE, FREE, HELD_UP
from app.domain.identity import ledger_window

MARK = "cronledger: aged, to be dropped"

PATIENCE = ("SET lock_timeout = '2s'", "SET statement_timeout = '6s'")
"""For one partition: a reader that stays longer is waited for again in an hour. Sooner than the driver gives up."""

_GAVE_UP = ("55P03", "57014")
"""PostgreSQL's codes for a lock that was not had in time, and for a statement that took too long."""

_ALONE = text("SELECT pg_try_advisory_lock(hashtext('cronledger retention'))")
_LET_GO = text("SELECT pg_advisory_unlock(hashtext('cronledger retention'))")
_FOUND = text(
    "SELECT part.relname AS name, link.inhrelid IS NOT NULL AS attached,"
    " coalesce(link.inhdetachpending, false) AS pending"
    " FROM pg_class AS whole JOIN pg_class AS part ON part.relnamespace = whole.relnamespace AND part.relkind = 'r'"
    " LEFT JOIN pg_inherits AS link ON link.inhrelid = part.oid AND link.inhparent = whole.oid"
    " WHERE whole.oid = CAST(:table AS regclass) AND starts_with(part.relname, :prefix)"
    " AND (link.inhrelid IS NOT NULL OR NOT part.relispartition AND obj_description(part.oid, 'pg_class') = :mark)"
)

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Partition:
    table: str
    day: date
    name: str
    attached: bool
    pending: bool


async def drop_aged(
    database: Database,
    before: datetime,
    tables: Sequence[str] = PARTITIONED,
    *,
    enough: Callable[[], bool] = lambda: False,
) -> bool:
    """Drop the tables' days that ended before the instant and hold no run that has not ended, oldest first.

    Whether there may be more of them when it is `enough`. Nothing is done while another replica is at it.
    """
    async with _alone(database) as connection:
        aged = [] if connection is None else await _aged(connection, tables, before)
        for index, (_, day) in enumerate(_in_turn(aged)):
            if index and enough():
                return True
            if connection is not None:
                partitions = [each for each in aged if each.day == day]
                if not await _drop_day(database, connection, partitions):
                    break
    return False


@asynccontextmanager
async def _alone(database: Database) -> AsyncIterator[AsyncConnection | None]:
    """None where another replica drops partitions now."""
    if database.dialect != "postgresql":
        yield None
        return
    async with database.apart() as connection:
        for setting in PATIENCE:
            await connection.execute(text(setting))
        is_first = await connection.scalar(_ALONE)
        yield connection if is_first else None
        if is_first:
            await connection.execute(_LET_GO)  # after an error the connection's end does it
        await connection.execute(text("RESET ALL"))


async def _aged(connection: AsyncConnection, tables: Sequence[str], before: datetime) -> list[_Partition]:
    """Of our names, runs first: a day that has a partition of runs is given one of attempts."""
    found: list[_Partition] = []
    for table in tables:
        asked = {"table": table, "prefix": f"{table}_", "mark": MARK}
        for row in await connection.execute(_FOUND, asked):
            day = partition_day(table, row.name)
            if day is not None and _end(day) <= before:
                found.append(_Partition(table, day, row.name, row.attached, row.pending))
    return found


def _in_turn(aged: list[_Partition]) -> list[tuple[bool, date]]:
    """What is pending goes first: of each table PostgreSQL detaches one partition at a time."""
    pending = {each.day for each in aged if each.pending}
    return sorted({(each.day not in pending, each.day) for each in aged})


async def _drop_day(database: Database, connection: AsyncConnection, partitions: list[_Partition]) -> bool:
    """False where somebody reads it for too long, or PostgreSQL refuses: then so it is with the next one."""
    try:
        for each in partitions:
            if each.attached and not each.pending and each.table == "job_runs":
                if await _goes_on(connection, each):
                    return True
                await _note(database, connection, each)
            await _drop(connection, each)
    except DBAPIError as error:
        is_read = getattr(error.orig, "sqlstate", None) in _GAVE_UP
        if is_outage(error) and not is_read:
            raise
        told = "a day is still read" if is_read else "a day can not be dropped"
        _log.warning(told, partition=partitions[0].name, cause=repr(error.orig))
        return False
    _log.info("a day has aged out", partition=partitions[0].name)
    return True


async def _goes_on(connection: AsyncConnection, partition: _Partition) -> bool:
    """Whether a run of it has not ended. Each way not to have ended has an index."""
    ways = (f"EXISTS (SELECT FROM {partition.name} WHERE {which})" for which in (FREE, HELD_UP, ACTIVE))
    return bool(await connection.scalar(text(f"SELECT {' OR '.join(ways)}")))


async def _note(database: Database, connection: AsyncConnection, partition: _Partition) -> None:
    """Before it goes, since a concurrent detach shares no transaction. Ids sort by time."""
    last = await connection.scalar(text(f"SELECT id FROM {partition.name} ORDER BY id DESC LIMIT 1"))  # noqa: S608  # a name of ours
    if last is not None:
        async with database.begin() as noting:
            await RetentionRepository(noting).note(ledger_window(last)[1])


async def _drop(connection: AsyncConnection, partition: _Partition) -> None:
    name, detach = partition.name, f"ALTER TABLE {partition.table} DETACH PARTITION {partition.name}"
    if partition.attached:
        await connection.execute(text(f"COMMENT ON TABLE {name} IS '{MARK}'"))
        await connection.execute(text(f"{detach} {'FINALIZE' if partition.pending else 'CONCURRENTLY'}"))
    await connection.execute(text(f"DROP TABLE {name}"))


def _end(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)
