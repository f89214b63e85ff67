"""A table of rows sent as one parameter, so that a batch of any size is one statement with one plan."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import JSON, Column, FromClause, Text, bindparam, cast, column, func, select, type_coerce
from sqlalchemy.types import TypeEngine

from app.db.types import sqlite_text


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
    each = func.json_each(sent).table_valued("value", name="each")
    return select(
        *(type_coerce(func.json_extract(each.c.value, f"$.{name}"), kind).label(name) for name, kind in columns.items())
    ).subquery(parameter)


def columns_of(*columns: Column[Any], **more: TypeEngine[Any]) -> dict[str, TypeEngine[Any]]:
    """Names and types for `rows`, taken from table columns."""
    return {**{each.name: each.type for each in columns}, **more}


def encode(dialect: str, items: Iterable[Mapping[str, Any]]) -> str:
    """The value of the parameter."""
    if dialect == "sqlite":
        items = ({name: _sqlite_value(value) for name, value in item.items()} for item in items)
    return orjson.dumps(list(items), default=_of_a_subclass).decode()


def _of_a_subclass(value: object) -> str:
    """The UUIDs of asyncpg are its own, which orjson doesn't take for what they are."""
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(f"{type(value).__name__} can't be sent in a row")


def _in_json(kind: TypeEngine[Any]) -> TypeEngine[Any]:
    """JSON has no width of its own: a column of the recordset is as wide as need be."""
    return Text() if kind.python_type is str else kind


def _sqlite_value(value: object) -> object:
    """As the column types have it there."""
    if isinstance(value, datetime):
        return sqlite_text(value)
    return value.hex if isinstance(value, UUID) else value
