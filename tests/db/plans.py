"""What PostgreSQL makes of the statements that a piece of code sends."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import asyncpg
from sqlalchemy import event

from app.db.engine import PLANNING, Database

Sent = tuple[str, tuple[Any, ...]]
Node = dict[str, Any]


@contextmanager
def listening(database: Database) -> Iterator[list[Sent]]:
    """Every statement with its parameters."""
    sent: list[Sent] = []

    def note(_connection: object, _cursor: object, statement: str, parameters: tuple[Any, ...], *_: object) -> None:
        sent.append((statement, parameters))

    engine = database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(engine, "before_cursor_execute", note)


async def explain(connection: asyncpg.Connection, sent: Sent) -> list[Node]:
    """The nodes of the plan for these parameters, as it was run, and undone."""
    statement, parameters = sent
    transaction = connection.transaction()
    await transaction.start()
    try:
        for name, value in PLANNING.items():
            await connection.execute(f"SET LOCAL {name} = {value}")
        await connection.execute(f"PREPARE asked AS {statement}")
        values = ", ".join(_literal(value) for value in parameters)
        call = f"asked({values})" if parameters else "asked"
        found = await connection.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE {call}")
        await connection.execute("DEALLOCATE asked")
    finally:
        await transaction.rollback()
    return list(_nodes(json.loads(found)[0]["Plan"]))


def most_read(nodes: list[Node]) -> int:
    """How many rows the busiest step of the plan looked at."""
    removed = ("Rows Removed by Filter", "Rows Removed by Join Filter", "Rows Removed by Index Recheck")
    return max(
        int((node["Actual Rows"] + sum(node.get(kind, 0) for kind in removed)) * node["Actual Loops"]) for node in nodes
    )


def touched(nodes: list[Node]) -> set[str]:
    """The relations that were looked into."""
    return {node["Relation Name"] for node in nodes if "Relation Name" in node and node.get("Actual Loops")}


def _nodes(node: Node) -> Iterator[Node]:
    yield node
    for child in node.get("Plans", []):
        yield from _nodes(child)


def _literal(value: object) -> str:
    if value is None:
        return "NULL"
    text = f"{{{','.join(map(str, value))}}}" if isinstance(value, list) else str(value).replace("'", "''")
    return f"'{text}'"
