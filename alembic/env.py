"""Runs the migrations in one transaction, behind a lock, so that replicas which start together don't race."""

from __future__ import annotations

import asyncio

from alembic import context
from sqlalchemy import Connection, text

from app.config import Settings
from app.db.engine import connect
from app.db.migrate import is_ours
from app.db.tables import metadata


def migrate(connection: Connection) -> None:
    """SQLite needs no lock of its own: the transaction began as a writer's."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('cronledger migrations'))"))
    context.configure(
        connection=connection,
        target_metadata=metadata,
        transactional_ddl=True,
        include_object=is_ours,
        compare_server_default=connection.dialect.name == "postgresql",
    )
    context.run_migrations()


async def run() -> None:
    url = context.config.attributes.get("url") or Settings().database_url
    database = connect(url, patience=None)  # a large table takes its time, and so does waiting for who migrates it
    try:
        async with database.begin() as connection:
            await connection.run_sync(migrate)
    finally:
        await database.close()


given = context.config.attributes.get("connection")
if given is None:
    asyncio.run(run())
else:
    migrate(given)
