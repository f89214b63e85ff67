"""Tables on MariaDB, whose DDL commits by itself: a step of a migration that broke off is done again."""

from __future__ import annotations

from typing import Any

from alembic.ddl.base import AddColumn, DropColumn, visit_add_column, visit_drop_column
from sqlalchemy import PrimaryKeyConstraint, Table
from sqlalchemy.dialects.mysql.base import MySQLDDLCompiler
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.schema import CreateIndex, CreateTable, DropIndex, DropTable

COLLATION = "utf8mb4_nopad_bin"
"""Names are equal if every character is, the spaces at their ends too."""

TEXT = f"CHARACTER SET utf8mb4 COLLATE {COLLATION}"
"""Whatever the database's own default is."""


class DDLCompiler(MySQLDDLCompiler):
    """What is to be made may be there already, and what is to go may be gone."""

    def visit_create_table(self, create: CreateTable, **kw: Any) -> str:
        create.if_not_exists = True
        return str(super().visit_create_table(create, **kw))  # type: ignore[no-untyped-call]  # SQLAlchemy's

    def visit_drop_table(self, drop: DropTable, **kw: Any) -> str:
        drop.if_exists = True
        return str(super().visit_drop_table(drop, **kw))  # type: ignore[no-untyped-call]  # SQLAlchemy's

    def visit_create_index(self, create: CreateIndex, **kw: Any) -> str:  # type: ignore[override]  # as SQLAlchemy's own
        create.if_not_exists = True
        return super().visit_create_index(create, **kw)

    def visit_drop_index(self, drop: DropIndex, **kw: Any) -> str:
        drop.if_exists = True
        return super().visit_drop_index(drop, **kw)

    def visit_primary_key_constraint(self, constraint: PrimaryKeyConstraint, **kw: Any) -> str:
        """Without a name: the server warns of it, since primary keys have none."""
        return "PRIMARY KEY" + super().visit_primary_key_constraint(constraint, **kw).partition("PRIMARY KEY")[2]

    def post_create_table(self, table: Table) -> str:
        return f"{super().post_create_table(table)} ENGINE=InnoDB {TEXT}"


@compiles(AddColumn, "mariadb")
def _add_column(element: AddColumn, compiler: MySQLDDLCompiler, **kw: Any) -> str:
    element.if_not_exists = True
    return visit_add_column(element, compiler, **kw)


@compiles(DropColumn, "mariadb")
def _drop_column(element: DropColumn, compiler: MySQLDDLCompiler, **kw: Any) -> str:
    element.if_exists = True
    return visit_drop_column(element, compiler, **kw)
