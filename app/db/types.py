"""Column types that mean the same on every database."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, DateTime, Row
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

AnyRow = Row[*tuple[Any, ...]]
"""A row of a query whose columns are only known to who wrote it."""


class UtcDateTime(TypeDecorator[datetime]):
    """An aware instant in UTC with microseconds. SQLite keeps it as text that sorts, `2027-01-01 09:00:00.000000`.

    MariaDB answers with text where an instant is a parameter, and no column of its own.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    @property
    def python_type(self) -> type[datetime]:
        return datetime

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        value = value.astimezone(UTC)
        return value if dialect.name == "postgresql" else value.replace(tzinfo=None)

    def process_result_value(self, value: datetime | str | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002  # SQLAlchemy's signature
        if value is None:
            return None
        if isinstance(value, str):
            value = datetime.fromisoformat(value)
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


def json_column() -> Any:
    """JSONB where there is one; None is stored as NULL."""
    return JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


def plain_text(value: datetime) -> str:
    """The instant as `UtcDateTime` stores it on SQLite, and as MariaDB reads it."""
    return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
