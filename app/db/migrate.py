"""The schema's version: bring a database up to it, and prove that the migrations add up to the tables."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import cache
from pathlib import Path
from typing import TypeVar

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect

from app.db import access_tables, audit_tables, namespace_tables, secret_tables, trace_tables  # noqa: F401  # their tables are in the metadata too
from app.db.engine import Database, connect
from app.db.event_triggers import missing_event_triggers
from app.db.partial import beside_the_tables, missing_partial_indexes
from app.db.partitions import EVENTS, PARTITIONED, ensure_partitions
from app.db.schema_level import Standing, find_standing
from app.db.tables import cron_jobs, metadata
from app.domain.errors import ReleaseTooOld, UnsupportedStore

T = TypeVar("T")
SCRIPTS = Path(__file__).parents[2] / "alembic"


def upgrade(url: str, revision: str = "head") -> None:
    """Run what is missing, then make the partitions of the days ahead. Twice does no harm.

    Raises ReleaseTooOld where a later release has removed what this one uses.
    """
    standing = asyncio.run(_with(url, standing_of))
    if standing is Standing.CLOSED:
        raise ReleaseTooOld(remedy="Start the later release, or restore the backup that was made before it.")
    if standing is Standing.BEHIND:
        command.upgrade(_config(url), revision)
    asyncio.run(_with(url, ensure_partitions))


def downgrade(url: str, revision: str) -> None:
    command.downgrade(_config(url), revision)


def differences(url: str) -> list[str]:
    """What would have to change for the database to be what `tables` says; empty when the migrations add up to it."""
    return asyncio.run(_with(url, _differences))


async def standing_of(database: Database) -> Standing:
    async with database.read() as connection:
        return await connection.run_sync(find_standing, scripts())


@cache
def scripts() -> ScriptDirectory:
    return ScriptDirectory(str(SCRIPTS))


async def _with(url: str, work: Callable[[Database], Awaitable[T]]) -> T:
    database = connect(url)
    try:
        return await work(database)
    finally:
        await database.close()


async def _differences(database: Database) -> list[str]:
    def compare(connection: Connection) -> list[str]:
        options = {"compare_type": True, "include_object": is_ours(connection)}
        found = compare_metadata(MigrationContext.configure(connection, opts=options), metadata)
        lost = [f"the trigger {name} is missing" for name in missing_event_triggers(connection)]
        lost += [f"the index {name} is missing" for name in missing_partial_indexes(connection)]
        return [*(repr(each) for each in found), *lost]

    async with database.read() as connection:
        return await connection.run_sync(compare)


def is_ours(connection: Connection) -> Callable[[object, str | None, str, bool, object], bool]:
    """Whether `tables` says what it is. The partitions are made as days go by, not by migrations."""
    partitions = tuple(f"{table}_" for table in (*PARTITIONED, *EVENTS))
    beside = beside_the_tables(connection)

    def told(_item: object, name: str | None, kind: str, _reflected: object, _other: object) -> bool:
        return (kind, name) not in beside and not (kind == "table" and str(name).startswith(partitions))

    return told


def refuse_tables_of_others(connection: Connection) -> None:
    """Before the first migration where a later one takes a table that is there for its own. Raises UnsupportedStore."""
    there = set(inspect(connection).get_table_names())
    if "alembic_version" not in there and (others := there & set(metadata.tables) - {cron_jobs.name}):
        raise UnsupportedStore(
            f"The database has tables of other programs: {', '.join(sorted(others))}.",
            remedy="Use a database of its own, or one with nothing but go-cron's cron_jobs.",
        )


def _config(url: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    config.attributes["url"] = url
    return config
