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
from sqlalchemy import Connection

from app.db import audit_tables, trace_tables  # noqa: F401  # their tables are in the metadata too
from app.db.engine import Database, connect
from app.db.event_triggers import missing_event_triggers
from app.db.partitions import EVENTS, PARTITIONED, ensure_partitions
from app.db.schema_level import Standing, find_standing
from app.db.tables import metadata
from app.domain.errors import ReleaseTooOld

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
        options = {"compare_type": True, "include_object": is_ours}
        found = compare_metadata(MigrationContext.configure(connection, opts=options), metadata)
        lost = (f"the trigger {name} is missing" for name in missing_event_triggers(connection))
        return [*(repr(each) for each in found), *lost]

    async with database.read() as connection:
        return await connection.run_sync(compare)


def is_ours(_item: object, name: str | None, kind: str, _reflected: object, _other: object) -> bool:
    """The partitions are made as days go by, not by migrations."""
    return not (kind == "table" and str(name).startswith(tuple(f"{table}_" for table in (*PARTITIONED, *EVENTS))))


def _config(url: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    config.attributes["url"] = url
    return config
