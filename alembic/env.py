"""Runs the migrations behind a lock, so that replicas which start together don't race.

They are one transaction, but for MariaDB, whose DDL commits by itself: there each step can be done again.
"""

from __future__ import annotations

import asyncio

from alembic import context
from sqlalchemy import Connection, text

from app.config import Settings
from app.db.engine import connect
from app.db.migrate import is_ours, refuse_tables_of_others
from app.db.tables import metadata

LOCK = {
    "postgresql": "SELECT pg_advisory_xact_lock(hashtext('cronledger migrations'))",
    "mariadb": "SELECT GET_LOCK(CONCAT('cronledger migrations ', MD5(DATABASE())), 86400)",
}
"""That of PostgreSQL ends with the transaction, that of MariaDB with its connection, which is closed after that."""


def migrate(connection: Connection) -> None:
    """SQLite needs no lock of its own: the transaction began as a writer's."""
    dialect = connection.dialect.name
    if dialect in LOCK:
        connection.execute(text(LOCK[dialect]))
    if dialect == "mariadb":
        refuse_tables_of_others(connection)
    context.configure(
        connection=connection,
        target_metadata=metadata,
        transactional_ddl=dialect != "mariadb",
        include_object=is_ours(connection),
        compare_server_default=dialect == "postgresql",
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
