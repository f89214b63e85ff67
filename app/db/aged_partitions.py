"""Days that have had their time, on PostgreSQL: whole partitions go, and nobody waits for that.

DETACH ... CONCURRENTLY waits for those who read the table, and keeps nobody else waiting. One that was interrupted
stays behind as pending, a table that was detached and not dropped has MARK as its comment: the next round ends both.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import structlog
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app.db.engine import Database
from app.db.partitions import PARTITIONED, partition_day
from app.db.retention import RetentionRepository
from app.db.tables import ACTIVE, FREE, HELD_UP
from app.domain.errors import StoreUnavailable
from app.domain.identity import ledger_window

MARK = "cronledger: aged, to be dropped"

PATIENCE = 6.0
"""Seconds for one statement: a reader that stays longer is waited for again in an hour. Sooner than the driver's."""

_BOUNDED = text("SELECT set_config('lock_timeout', '2s', true), set_config('statement_timeout', '6s', true)")

_GAVE_UP = ("55P03", "57014")
"""PostgreSQL's codes for a lock that was not had in time, and for a statement that took too long."""

_ALONE = text("SELECT pg_try_advisory_xact_lock(hashtext('cronledger retention'))")
_KEEP = text("SET LOCAL idle_in_transaction_session_timeout = '60s'")
"""The transaction that holds the lock is idle while the days go: longer than one of them takes.

It comes after the SELECT, of which the answer's portal would keep a snapshot that FINALIZE waits for.
"""
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
    if database.dialect != "postgresql":
        return False
    async with database.begin() as lock:
        is_first = await lock.scalar(_ALONE)
        await lock.execute(_KEEP)
        aged = await _aged(database, tables, before) if is_first else []
        for index, (_, day) in enumerate(_in_turn(aged)):
            if index and enough():
                return True
            if not await _drop_day(database, [each for each in aged if each.day == day]):
                break
    return False


async def _aged(database: Database, tables: Sequence[str], before: datetime) -> list[_Partition]:
    """Of our names, runs first: a day that has a partition of runs is given one of attempts."""
    found: list[_Partition] = []
    async with database.read() as connection:
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


async def _drop_day(database: Database, partitions: list[_Partition]) -> bool:
    """False where somebody reads it for too long, or PostgreSQL refuses: then so it is with the next one."""
    try:
        for each in partitions:
            if each.attached and not each.pending and each.table == "job_runs":
                if await _goes_on(database, each):
                    return True
                await _note(database, each)
            await _drop(database, each)
    except (StoreUnavailable, DBAPIError) as error:
        cause = _cause(error)
        is_read = isinstance(cause, TimeoutError) or getattr(cause, "sqlstate", None) in _GAVE_UP
        if isinstance(error, StoreUnavailable) and not is_read:
            raise
        told = "a day is still read" if is_read else "a day can not be dropped"
        _log.warning(told, partition=partitions[0].name, cause=repr(cause))
        return False
    _log.info("a day has aged out", partition=partitions[0].name)
    return True


def _cause(error: BaseException) -> BaseException | None:
    """What the driver said."""
    told = error.__cause__ if isinstance(error, StoreUnavailable) else error
    return told.orig if isinstance(told, DBAPIError) else told


async def _goes_on(database: Database, partition: _Partition) -> bool:
    """Whether a run of it has not ended. Each way not to have ended has an index."""
    ways = (f"EXISTS (SELECT FROM {partition.name} WHERE {which})" for which in (FREE, HELD_UP, ACTIVE))
    async with database.read() as connection:
        return bool(await connection.scalar(text(f"SELECT {' OR '.join(ways)}")))


async def _note(database: Database, partition: _Partition) -> None:
    """Before it goes, since a concurrent detach shares no transaction. Ids sort by time."""
    async with database.begin() as connection:
        last = await connection.scalar(text(f"SELECT id FROM {partition.name} ORDER BY id DESC LIMIT 1"))  # noqa: S608  # a name of ours
        if last is not None:
            await RetentionRepository(connection).note(ledger_window(last)[1])


async def _drop(database: Database, partition: _Partition) -> None:
    name, detach = partition.name, f"ALTER TABLE {partition.table} DETACH PARTITION {partition.name}"
    if partition.attached:
        await _alter(database, f"COMMENT ON TABLE {name} IS '{MARK}'")
        if partition.pending:
            await _alter(database, f"{detach} FINALIZE")
        else:
            await database.apart(f"{detach} CONCURRENTLY", PATIENCE)
    await _alter(database, f"DROP TABLE {name}")


async def _alter(database: Database, statement: str) -> None:
    async with database.begin() as connection:
        await connection.execute(_BOUNDED)
        await connection.execute(text(statement))


def _end(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)
