"""MariaDB as SQLAlchemy speaks to it here: `mariadb+cronledger://`.

What differs in SQL stands in these compilers, so that the stores have one form for every database.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from sqlalchemy import ColumnElement, Connection, FromClause, String, TextClause
from sqlalchemy.dialects.mysql.asyncmy import MySQLDialect_asyncmy
from sqlalchemy.dialects.mysql.base import MySQLTypeCompiler
from sqlalchemy.dialects.mysql.mariadb import MariaDBDialect
from sqlalchemy.dialects.mysql.mysqldb import MySQLCompiler_mysqldb
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.sql.elements import FunctionFilter
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.selectable import Join, TableValuedAlias

from app.db.mariadb_ddl import COLLATION, DDLCompiler
from app.db.partial import CONDITIONS
from app.domain.errors import UnsupportedStore

OLDEST = (10, 6)
"""The first release that knows SKIP LOCKED and JSON_TABLE."""


class _Compiler(MySQLCompiler_mysqldb):
    """Statements.

    Rows that are sent are looked at first, in their order, and what they name is found by its key: left to itself the
    server reads a small table from end to end instead, and waits for rows that nobody asked for.
    """

    def visit_join(self, join: Join, *args: Any, **kw: Any) -> str:
        if not _is_sent(join.right) or join.isouter or join.onclause is None:
            return super().visit_join(join, *args, **kw)
        left, right = (self.process(each, **kw | {"asfrom": True}) for each in (join.left, join.right))
        return f"{right} STRAIGHT_JOIN {left} ON {self.process(join.onclause, **kw)}"

    def update_tables_clause(
        self,
        update_stmt: Any,  # noqa: ARG002  # SQLAlchemy's signature
        from_table: Any,
        extra_froms: Any,
        **kw: Any,
    ) -> str:
        tables = sorted((from_table, *extra_froms), key=_is_sent, reverse=True)
        return " STRAIGHT_JOIN ".join(self.process(each, **kw | {"asfrom": True}) for each in tables)

    def visit_textclause(self, textclause: TextClause, *args: Any, **kw: Any) -> str:
        """A condition that has a partial index elsewhere has a key column here."""
        said = textclause.text
        partial = CONDITIONS.get(said) or CONDITIONS.get(said.removeprefix("(").removesuffix(")"))
        if partial is not None:
            return partial.holds
        return str(super().visit_textclause(textclause, *args, **kw))  # type: ignore[no-untyped-call]  # SQLAlchemy's

    def visit_json_getitem_op_binary(self, binary: Any, operator: Any, **kw: Any) -> str:
        """Text of JSON is taken for another collation's, whatever its column has."""
        told = super().visit_json_getitem_op_binary(binary, operator, **kw)
        return f"({told}) COLLATE {COLLATION}" if isinstance(binary.type, String) else told

    def visit_sysdate_func(self, fn: FunctionElement[Any], **kw: Any) -> str:  # noqa: ARG002  # SQLAlchemy's signature
        return "SYSDATE(6)"

    def visit_funcfilter(self, funcfilter: FunctionFilter[Any], **kw: Any) -> str:
        """Aggregates pass over NULL."""
        told, condition = self.process(funcfilter.func.clauses, **kw), cast(ColumnElement[bool], funcfilter.criterion)
        chosen = f"CASE WHEN {self.process(condition, **kw)} THEN {'1' if told == '*' else told} END"
        return f"{funcfilter.func.name}({chosen})"


class _TypeCompiler(MySQLTypeCompiler):
    """Instants have microseconds, fractions are double, and no text is cut at 64 KiB.

    JSON is text, as it is to the server, which would check it too, and takes no more than 32 levels for valid.

    UUIDs are text, which sorts as they do: the native type is of 10.7, and sorts by other bytes first. Columns can be
    computed from VARCHAR; what CHAR holds depends on the session.
    """

    def visit_uuid(self, type_: Any, **kw: Any) -> str:  # noqa: ARG002  # SQLAlchemy's signature
        return "VARCHAR(32)"

    def visit_DATETIME(self, type_: Any, **kw: Any) -> str:  # noqa: ARG002, N802  # SQLAlchemy's signature
        return "DATETIME(6)"

    def visit_FLOAT(self, type_: Any, **kw: Any) -> str:  # noqa: ARG002, N802  # SQLAlchemy's signature
        return "DOUBLE"

    def visit_JSON(self, type_: Any, **kw: Any) -> str:  # noqa: ARG002, N802  # SQLAlchemy's signature
        return "LONGTEXT"

    def visit_TEXT(self, type_: Any, **kw: Any) -> str:  # noqa: ARG002, N802  # SQLAlchemy's signature
        return "LONGTEXT"


class CronledgerMariaDB(MariaDBDialect, MySQLDialect_asyncmy):
    """The dialect of `mariadb+cronledger://`."""

    statement_compiler = _Compiler
    ddl_compiler = DDLCompiler
    type_compiler_cls = _TypeCompiler
    supports_statement_cache = True

    def initialize(self, connection: Connection) -> None:
        super().initialize(connection)
        self.supports_native_uuid = False

    def on_connect(self) -> Callable[[DBAPIConnection], None]:
        """Nothing more than the first command of `connect_options`: SQLAlchemy's own would undo its collation."""
        return lambda _: None

    def _get_server_version_info(self, connection: Connection) -> tuple[int, ...]:
        """Refuses what is not MariaDB, or too old."""
        told = str(connection.exec_driver_sql("SELECT VERSION()").scalar())
        found = self._parse_server_version(told) if "mariadb" in told.lower() else ()
        if found < OLDEST:
            oldest = ".".join(map(str, OLDEST))
            raise UnsupportedStore(
                f"The database server says that it is {told}, which can't be used.",
                remedy=f"Use MariaDB {oldest} or later, PostgreSQL or SQLite.",
            )
        return found


def _is_sent(table: FromClause) -> bool:
    return isinstance(table, TableValuedAlias)
