"""A table of rows sent as one parameter, so that a batch of any size is one statement with one plan."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import (
    JSON,
    BindParameter,
    Column,
    FromClause,
    Text,
    bindparam,
    cast,
    column,
    func,
    literal_column,
    select,
    type_coerce,
)
from sqlalchemy.types import TypeEngine

from app.db.mariadb_ddl import TEXT
from app.db.types import plain_text


def rows(dialect: str, columns: Mapping[str, TypeEngine[Any]], parameter: str = "rows") -> FromClause:
    """The rows of `parameter`, which is to be bound to what `encode` made of them."""
    sent = bindparam(parameter, type_=Text)
    if dialect == "postgresql":
        typed = [column(name, _in_json(kind)) for name, kind in columns.items()]
        return (
            func.json_to_recordset(cast(sent, JSON))
            .table_valued(*typed, name=parameter)
            .render_derived(with_types=True)
        )
    if dialect == "mariadb":
        return _json_table(sent, columns, parameter)
    each = func.json_each(sent).table_valued("value", name="each")
    return select(
        *(type_coerce(func.json_extract(each.c.value, f"$.{name}"), kind).label(name) for name, kind in columns.items())
    ).subquery(parameter)


def columns_of(*columns: Column[Any], **more: TypeEngine[Any]) -> dict[str, TypeEngine[Any]]:
    """Names and types for `rows`, taken from table columns."""
    return {**{each.name: each.type for each in columns}, **more}


def encode(dialect: str, items: Iterable[Mapping[str, Any]]) -> str:
    """The value of the parameter.

    MariaDB locks the rows that are named in the order in which they are sent: by their keys, which come first. What is
    NULL is left out there, or it would be the null of JSON in a column of JSON.
    """
    if dialect != "postgresql":
        items = ({name: _plain_value(value) for name, value in item.items()} for item in items)
    if dialect == "mariadb":
        told = ({name: value for name, value in item.items() if value is not None} for item in items)
        items = sorted(told, key=_first)
    return orjson.dumps(list(items), default=_of_a_subclass).decode()


def _json_table(sent: BindParameter[str], columns: Mapping[str, TypeEngine[Any]], parameter: str) -> FromClause:
    told = ", ".join(f"`{name}` {_MARIADB[kind.python_type]} PATH '$.{name}'" for name, kind in columns.items())
    typed = [column(name, kind) for name, kind in columns.items()]
    return func.json_table(sent, literal_column(f"'$[*]' COLUMNS ({told})")).table_valued(*typed, name=parameter)


_MARIADB: dict[type[Any], str] = {
    UUID: f"VARCHAR(32) {TEXT}",
    bool: "BOOLEAN",
    int: "BIGINT",
    float: "DOUBLE",
    str: f"LONGTEXT {TEXT}",
    datetime: "DATETIME(6)",
    object: "JSON",
}


def _first(item: Mapping[str, Any]) -> Any:
    return next(iter(item.values()))


def _of_a_subclass(value: object) -> str:
    """The UUIDs of asyncpg are its own, which orjson doesn't take for what they are."""
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(f"{type(value).__name__} can't be sent in a row")


def _in_json(kind: TypeEngine[Any]) -> TypeEngine[Any]:
    """JSON has no width of its own: a column of the recordset is as wide as need be."""
    return Text() if kind.python_type is str else kind


def _plain_value(value: object) -> object:
    """As the column types have it on SQLite and MariaDB."""
    if isinstance(value, datetime):
        return plain_text(value)
    return value.hex if isinstance(value, UUID) else value
