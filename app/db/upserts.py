"""Rows that may be there already: ON CONFLICT on PostgreSQL and SQLite, ON DUPLICATE KEY on MariaDB.

INSERT IGNORE would do on MariaDB too, and let pass whatever else is wrong with a row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, cast
from uuid import UUID

from sqlalchemy import Column, ColumnElement, Executable, Insert, Table, case, func, select, true
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.rows import columns_of, encode, rows

Told = Any
"""The columns of the new row, by their names."""


@lru_cache
def sent_into(dialect: str, columns: tuple[Column[Any], ...], order_by: str) -> Insert:
    """Insert the rows that are sent, sorted lest two such statements wait for each other."""
    sent, names = rows(dialect, columns_of(*columns)), [column.name for column in columns]
    # SQLite reads ON CONFLICT after a SELECT without WHERE as the join condition of one.
    source = select(*(sent.c[name] for name in names)).where(true()).order_by(sent.c[order_by])
    into: Insert = _insert(dialect)(columns[0].table)
    return into.from_select(names, source, include_defaults=False)


def one_into(dialect: str, table: Table, values: Mapping[str, Any]) -> Insert:
    """Insert one row."""
    into: Insert = _insert(dialect)(table)
    return into.values(values)


def or_update(
    into: Insert,
    keys: Sequence[str],
    told: Callable[[Told], dict[str, ColumnElement[Any]]],
    where: ColumnElement[bool] | None = None,
) -> Insert:
    """Where a row with the keys is there, write what `told` makes of the new one, if it matches `where`."""
    if isinstance(into, postgresql.Insert | sqlite.Insert):
        return into.on_conflict_do_update(index_elements=keys, set_=told(into.excluded), where=where)
    if not isinstance(into, mysql.Insert):
        raise TypeError("an insert of `sent_into` or `one_into`")
    written = told(into.inserted)
    if where is not None:
        written = {name: case((where, value), else_=into.table.c[name]) for name, value in written.items()}
    return into.on_duplicate_key_update(list(written.items()))


async def insert_unless_there(connection: AsyncConnection, table: Table, key: str, values: Mapping[str, Any]) -> bool:
    """Whether the row is new; one that was there is left alone, and locked on MariaDB."""
    into: Any = one_into(connection.dialect.name, table, values)
    if connection.dialect.name != "mariadb":
        return bool((await connection.execute(into.on_conflict_do_nothing())).rowcount)
    mark = func.if_(func.last_insert_id(1), table.c[key], table.c[key])
    return (await connection.execute(into.inline().on_duplicate_key_update({key: mark}))).lastrowid != 1


async def insert_new(
    connection: AsyncConnection, columns: tuple[Column[Any], ...], values: Iterable[Mapping[str, Any]]
) -> set[UUID]:
    """Insert the rows whose `id` is not there yet; the ids of those.

    On MariaDB who sends rows of the same ids must be kept out: what comes between is an IntegrityError.
    """
    dialect = connection.dialect.name
    if dialect == "mariadb":
        values = await _unknown(connection, columns[0].table.c.id, list(values))
    return set(await connection.scalars(_new_into(dialect, columns), {"rows": encode(dialect, values)}))


@lru_cache
def _new_into(dialect: str, columns: tuple[Column[Any], ...]) -> Executable:
    into: Any = sent_into(dialect, columns, "id")
    kept = into if dialect == "mariadb" else into.on_conflict_do_nothing()
    return cast(Executable, kept.returning(columns[0].table.c.id))


async def _unknown(
    connection: AsyncConnection, id_: Column[Any], values: Sequence[Mapping[str, Any]]
) -> list[Mapping[str, Any]]:
    asked = rows("mariadb", columns_of(id_))
    sent = encode("mariadb", ({"id": each["id"]} for each in values))
    query = select(id_).join(asked, asked.c.id == id_)
    known = set(await connection.scalars(query, {"rows": sent}))
    return [each for each in values if each["id"] not in known]


def _insert(dialect: str) -> Callable[[Any], Any]:
    return {"postgresql": postgresql.insert, "sqlite": sqlite.insert, "mariadb": mysql.insert}[dialect]
