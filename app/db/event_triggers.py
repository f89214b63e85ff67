"""The triggers that write the events, so that whoever writes the ledger, a person with SQL too, can't forget one.

On PostgreSQL a batch of runs costs one INSERT more. An id is given out while its run or job is locked, hence the events
of one run and of one job have the order of their commits. SQLite loses the triggers of a table that a migration copies
(`batch_alter_table`): such a migration drops them all first, and creates them again at its end.
"""

from __future__ import annotations

from types import ModuleType

from sqlalchemy import Connection, inspect, text

from app.db import mariadb_events, postgres_events, sqlite_events


def create_event_triggers(connection: Connection) -> None:
    """The functions name the events' schema, which on PostgreSQL is the one that new tables are made in."""
    schema = connection.dialect.identifier_preparer.quote_schema(inspect(connection).default_schema_name or "main")
    for statement in _statements(connection).CREATE:
        connection.exec_driver_sql(statement.replace(":schema", schema))


def drop_event_triggers(connection: Connection) -> None:
    for statement in _statements(connection).DROP:
        connection.exec_driver_sql(statement)


def missing_event_triggers(connection: Connection) -> list[str]:
    """Names of those that should be there."""
    module = _statements(connection)
    return sorted(set(module.NAMES) - set(connection.scalars(text(module.FOUND))))


def _statements(connection: Connection) -> ModuleType:
    return {"postgresql": postgres_events, "sqlite": sqlite_events, "mariadb": mariadb_events}[connection.dialect.name]
