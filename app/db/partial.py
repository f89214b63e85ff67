"""Indexes of some rows alone: partial ones on PostgreSQL and SQLite, those of key columns on MariaDB, which has none.

A key column is computed: the first column of the index where its condition holds, and NULL elsewhere. That it equals
that column says that the condition holds, and leads the server to the index.
"""

from __future__ import annotations

from dataclasses import dataclass

from alembic import op
from sqlalchemy import Connection, inspect, text

from app.db.mariadb_events import TABLES as ORDER_OF_EVENTS
from app.db.tables import ACTIVE, CALLED_BACK, CANCELING, FREE, LIMITED, OPEN, OUT_OF_PLACE, RUNNING, TO_EXPIRE

MARIADB = "mariadb"
_KINDS = {
    "job_id": "VARCHAR(32)",
    "owner": "VARCHAR(32)",
    "limit_key": "VARCHAR(255)",
    "due_at": "DATETIME(6)",
    "deadline_at": "DATETIME(6)",
}


@dataclass(frozen=True, slots=True)
class PartialIndex:
    """Its first column decides what its key column is."""

    name: str
    table: str
    columns: tuple[str, ...]
    unique: bool = False

    @property
    def key(self) -> str:
        return f"{self.name}_key"

    @property
    def holds(self) -> str:
        """Its condition, by the key column."""
        return f"({self.key} IS NOT NULL AND {self.key} = {self.columns[0]})"


PENDING = PartialIndex("idx_job_runs_pending", "job_runs", ("due_at",))
BEGUN = PartialIndex("idx_job_runs_active", "job_runs", ("job_id",))
OWNED = PartialIndex("idx_job_runs_owner", "job_runs", ("owner",))
CANCELED = PartialIndex("idx_job_runs_canceling", "job_runs", ("owner",))
COUNTED = PartialIndex("idx_job_runs_limit_key", "job_runs", ("limit_key",))
DEADLINE = PartialIndex("idx_job_runs_deadline", "job_runs", ("deadline_at",))
CALLBACK = PartialIndex("idx_job_runs_callback", "job_runs", ("due_at",))
ELSEWHERE = PartialIndex("idx_job_runs_out_of_place", "job_runs", ("job_id", "scheduled_for"))
OPEN_SPAN = PartialIndex("uq_job_spans_open", "job_spans", ("job_id",), unique=True)
OPEN_VERSION = PartialIndex("uq_job_versions_open", "job_versions", ("job_id",), unique=True)

INDEXES = (PENDING, BEGUN, OWNED, CANCELED, COUNTED, DEADLINE, CALLBACK, ELSEWHERE, OPEN_SPAN, OPEN_VERSION)

CONDITIONS = {
    FREE: PENDING,
    ACTIVE: BEGUN,
    RUNNING: OWNED,
    CANCELING: CANCELED,
    LIMITED: COUNTED,
    TO_EXPIRE: DEADLINE,
    CALLED_BACK: CALLBACK,
    OUT_OF_PLACE: ELSEWHERE,
    OPEN: OPEN_SPAN,
}
"""What queries say in words, and on MariaDB by the index's key column."""


def create_partial_index(index: PartialIndex, condition: str) -> None:
    """In a migration, which has the condition as it was then."""
    if op.get_bind().dialect.name != MARIADB:
        where, columns = text(condition), list(index.columns)
        unique = index.unique
        op.create_index(index.name, index.table, columns, unique=unique, postgresql_where=where, sqlite_where=where)
        return
    first, *others = index.columns
    computed = f"{_KINDS[first]} AS (CASE WHEN {condition} THEN {first} END) STORED"
    op.execute(f"ALTER TABLE {index.table} ADD COLUMN IF NOT EXISTS {index.key} {computed}")
    op.create_index(index.name, index.table, [index.key, *others], unique=index.unique)


def drop_partial_index(index: PartialIndex) -> None:
    op.drop_index(index.name, index.table)
    if op.get_bind().dialect.name == MARIADB:
        op.execute(f"ALTER TABLE {index.table} DROP COLUMN IF EXISTS {index.key}")


def beside_the_tables(connection: Connection) -> set[tuple[str, str]]:
    """(kind, name) of what stands for the partial indexes on MariaDB, and for the order of the events."""
    if connection.dialect.name != MARIADB:
        return set()
    named = {("index", each.name) for each in INDEXES} | {("column", each.key) for each in INDEXES}
    return (
        named | {("unique_constraint", each.name) for each in INDEXES} | {("table", name) for name in ORDER_OF_EVENTS}
    )


def missing_partial_indexes(connection: Connection) -> list[str]:
    """Those that MariaDB should have; elsewhere they are compared as all others are."""
    if connection.dialect.name != MARIADB:
        return []
    found = inspect(connection)
    there = {index["name"] for table in {each.table for each in INDEXES} for index in found.get_indexes(table)}
    return [index.name for index in INDEXES if index.name not in there]
