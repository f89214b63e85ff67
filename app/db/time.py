"""The database's clock as an SQL expression: the server's own in production, an argument in tests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Protocol

from sqlalchemy import ColumnElement, Interval, bindparam, cast, func, text, type_coerce

from app.db.types import UtcDateTime, plain_text
from app.domain.clock import Clock


class TimeSource(Protocol):
    """An instant that each statement takes anew, so that a statement which waited for a lock sees the time after it."""

    def ago(self, by: timedelta) -> ColumnElement[datetime]: ...


class PostgresTime:
    """`now()` stands still for a whole transaction; `clock_timestamp()` does not."""

    def ago(self, by: timedelta) -> ColumnElement[datetime]:
        now = func.clock_timestamp(type_=UtcDateTime)
        return type_coerce(now - cast(by, Interval), UtcDateTime) if by else now


class SqliteTime:
    """A function that `connect_sqlite` registers: SQLite's own clock stops at milliseconds."""

    def ago(self, by: timedelta) -> ColumnElement[datetime]:
        return func.clock_timestamp(by.total_seconds(), type_=UtcDateTime)


class MariadbTime:
    """`NOW()` stands still for a whole statement, however long that waited; `SYSDATE()` does not."""

    def ago(self, by: timedelta) -> ColumnElement[datetime]:
        now = func.sysdate(type_=UtcDateTime)
        micros = by // timedelta(microseconds=1)
        return type_coerce(now - text(f"INTERVAL {micros} MICROSECOND"), UtcDateTime) if by else now


class BoundTime:
    """A clock of the caller's, read each time that a statement is executed."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def ago(self, by: timedelta) -> ColumnElement[datetime]:
        return bindparam(None, callable_=lambda: self._clock.now() - by, type_=UtcDateTime)


def sqlite_clock_timestamp(seconds_ago: float) -> str:
    """What `clock_timestamp(seconds_ago)` answers on SQLite."""
    return plain_text(datetime.now(UTC) - timedelta(seconds=seconds_ago))
