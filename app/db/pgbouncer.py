"""PgBouncer in transaction mode: no transaction finds its session again, so that nothing may be kept in one.

`?pgbouncer=true` in the URL says that it stands in between. Statements are prepared without a name, and settings are
made at the beginning of each transaction: PgBouncer refuses those that come with a connection.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import asyncpg
from sqlalchemy import URL

from app.domain.errors import InvalidInput

_NAME = "pgbouncer"


def is_behind(url: URL) -> bool:
    """Whether the URL says so. Raises InvalidInput where it says neither true nor false."""
    told = url.query.get(_NAME, "false")
    if told not in {"true", "false"}:
        raise InvalidInput(f"The database's URL has pgbouncer={told}.", remedy="It can be true or false.")
    return told == "true"


def without(url: URL) -> URL:
    """The URL as the driver takes it."""
    return url.difference_update_query([_NAME])


def options(settings: Mapping[str, str]) -> dict[str, Any]:
    """Of asyncpg and its dialect. Inside of a transaction an unnamed statement is still there when it is executed."""
    made = "".join(f" SET LOCAL {name} = '{value}';" for name, value in settings.items())

    class Session(asyncpg.Connection):  # type: ignore[misc]
        """One that begins a transaction and makes the settings in the same message."""

        async def execute(self, query: str, *args: object, timeout: float | None = None) -> str:  # noqa: ASYNC109  # as it is there
            told = query + made if query.startswith("BEGIN") else query
            status: str = await super().execute(told, *args, timeout=timeout)
            return status

    return {
        "statement_cache_size": 0,
        "prepared_statement_cache_size": 0,
        "prepared_statement_name_func": lambda: "",
        "connection_class": Session,
    }
