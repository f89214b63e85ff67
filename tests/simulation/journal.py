"""Every change of a run, as the database itself saw it: triggers write it down, whatever the code says of itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import BigInteger, Column, Integer, MetaData, String, Table, Text, Uuid, select, text

from app.db.engine import Database
from app.db.types import UtcDateTime

_FACTS: dict[str, Any] = {
    "job_id": Uuid(),
    "job_version": Integer(),
    "trigger": String(16),
    "scheduled_for": UtcDateTime(),
    "state": String(16),
    "fence": Integer(),
    "attempt": Integer(),
    "owner": Uuid(),
    "takeovers": Integer(),
    "failures": Integer(),
    "reason": Text(),
    "waiting_for": Text(),
    "limit_key": Text(),
    "due_at": UtcDateTime(),
    "deadline_at": UtcDateTime(),
}
_BEFORE = ("state", "fence", "attempt", "owner", "failures", "waiting_for")

Change = Any
"""A row of the journal: what a run was (`old_*`, all None at its birth), and what it is; `state` is None once gone."""

_metadata = MetaData()
_journal = Table(
    "journal",
    _metadata,
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("run_id", Uuid()),
    *(Column(name, kind) for name, kind in _FACTS.items()),
    *(Column(f"old_{name}", _FACTS[name]) for name in _BEFORE),
)


class Journal:
    """Read after each step: what was written since the last time."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._seen = 0

    async def install(self) -> None:
        async with self._database.begin() as connection:
            await connection.run_sync(_metadata.create_all)
            for statement in _triggers(self._database.dialect):
                await connection.execute(text(statement))

    async def news(self) -> Sequence[Change]:
        query = select(_journal).where(_journal.c.seq > self._seen).order_by(_journal.c.seq)
        async with self._database.read() as connection:
            found = list(await connection.execute(query))
        self._seen = found[-1].seq if found else self._seen
        return found


def _triggers(dialect: str) -> list[str]:
    events = {"INSERT": _written("NEW", None), "UPDATE": _written("NEW", "OLD"), "DELETE": _written(None, "OLD")}
    if dialect == "mariadb":
        each = {event: insert.replace('"', "`") for event, insert in events.items()}
        return [
            f"CREATE TRIGGER journal_{event} AFTER {event} ON job_runs FOR EACH ROW {insert}"
            for event, insert in each.items()
        ]
    if dialect == "sqlite":
        return [
            f"CREATE TRIGGER journal_{event} AFTER {event} ON job_runs BEGIN {insert}; END"
            for event, insert in events.items()
        ]
    cases = " ".join(f"IF TG_OP = '{event}' THEN {insert}; END IF;" for event, insert in events.items())
    told = f"AFTER {' OR '.join(events)} ON job_runs FOR EACH ROW EXECUTE FUNCTION journal_write()"
    return [
        f"CREATE FUNCTION journal_write() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {cases} RETURN NULL; END $$",
        f"CREATE TRIGGER journal_write {told}",
    ]


def _written(new: str | None, old: str | None) -> str:
    values = {"run_id": f"{new or old}.id"}
    values |= {name: f'{new}."{name}"' for name in _FACTS if new}
    values |= {f"old_{name}": f"{old}.{name}" for name in _BEFORE if old}
    columns = ", ".join(f'"{name}"' for name in values)
    return f"INSERT INTO journal ({columns}) VALUES ({', '.join(values.values())})"  # noqa: S608  # names of our own
