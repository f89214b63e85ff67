"""The connection to MariaDB: how a session is set up, and which of its errors pass by themselves."""

from __future__ import annotations

from typing import Any

from asyncmy.errors import MySQLError
from sqlalchemy.exc import DBAPIError

from app.db.mariadb_ddl import COLLATION

_SESSION = {
    "time_zone": "'+00:00'",
    "collation_connection": f"'{COLLATION}'",
    # The last one is the standard's UPDATE: what is assigned is computed from the row as it was.
    "sql_mode": "'STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION,SIMULTANEOUS_ASSIGNMENT'",
    # Rows that are named are found by their keys. With a buffer to join them, a small table is read and locked whole.
    "join_cache_level": "0",
    "sql_notes": "0",
}

_LOCK_WAIT = 5
"""Seconds for which a statement waits for a row, well below those after which it is given up."""

_PASSING = frozenset({1021, 1040, 1041, 1053, 1114, 1129, 1158, 1159, 1160, 1161, 1203, 1205, 1213, 1226})
_PASSING |= {1290, 1317, 1792, 1836, 1927, 1969, 2002, 2003, 2006, 2013, 2014, 2055, 4150, 4151, 4152}
"""Of its errors: resources, connections, locks and deadlocks, a standby, an operator or a restart, time that was up."""


def connect_options(patience: float | None, wait: float) -> dict[str, Any]:
    """Of the engine. A statement may take `patience` seconds, a connection `wait` to be made."""
    session = dict(_SESSION)
    arguments: dict[str, Any] = {"charset": "utf8mb4", "connect_timeout": wait}
    if patience is not None:
        whole = str(max(1, round(patience)))
        session |= {"max_statement_time": str(patience)}
        session |= {"innodb_lock_wait_timeout": min(whole, str(_LOCK_WAIT), key=int)}
        session |= {"idle_transaction_timeout": whole}  # of one that has gone silent, whose locks would stay
        arguments |= {"read_timeout": patience + 1}  # of a server that is frozen, or cut off
    told = ", ".join(f"{name}={value}" for name, value in session.items())
    return {"isolation_level": "READ COMMITTED", "connect_args": arguments | {"init_command": f"SET {told}"}}


def is_error(error: DBAPIError) -> bool:
    """Whether it is one of MariaDB's."""
    return isinstance(error.orig, MySQLError)


def is_passing(error: DBAPIError) -> bool:
    """Whether a moment later the same may succeed."""
    code = error.orig.args[0] if error.orig is not None and error.orig.args else None
    return error.connection_invalidated or code in _PASSING
