"""Which releases may run on a database: so that those of a rolling upgrade may share one.

A release only adds to the schema (expand); what it no longer uses, the release after it removes (contract), and says so
by raising `needs`. A release that meets migrations which it doesn't know runs on, as long as `needs` allows it.
"""

from __future__ import annotations

from enum import Enum

from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Column, Connection, Integer, String, Table, inspect, select

from app.db.tables import metadata

LEVEL = 2
"""Of this release. Raise it where the code stops using a column or table that a later migration is to remove.

The releases of 1 know no namespaces: what is in one, they would take for what is in `default`.
"""

cronledger_schema = Table(
    "cronledger_schema",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("needs", Integer, nullable=False),
    Column("page_key", String(64)),
)


class Standing(Enum):
    """How a database stands to this release."""

    BEHIND = "not migrated"
    CURRENT = "current"
    AHEAD = "of a later release that allows this one"
    CLOSED = "of a later release that has removed what this one uses"

    @property
    def usable(self) -> bool:
        return self in (Standing.CURRENT, Standing.AHEAD)


def find_standing(connection: Connection, scripts: ScriptDirectory) -> Standing:
    revision = MigrationContext.configure(connection).get_current_revision()
    if revision == scripts.get_current_head():
        return Standing.CURRENT
    if revision is None or revision in {script.revision for script in scripts.walk_revisions()}:
        return Standing.BEHIND
    if not inspect(connection).has_table(cronledger_schema.name):
        return Standing.CLOSED
    needs = connection.scalar(select(cronledger_schema.c.needs))
    return Standing.AHEAD if needs is not None and needs <= LEVEL else Standing.CLOSED
