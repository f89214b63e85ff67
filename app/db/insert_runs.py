"""New rows of the ledger, in one statement for any number of them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import Executable, select, true
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.rows import columns_of, encode, rows
from app.db.tables import job_runs
from app.domain.identity import occurrence_id
from app.domain.misfire import PlannedRun

_COLUMNS = [
    job_runs.c.id,
    job_runs.c.ledger_at,
    job_runs.c.job_id,
    job_runs.c.job_name,
    job_runs.c.job_version,
    job_runs.c.scheduled_for,
    job_runs.c.trigger,
    job_runs.c.state,
    job_runs.c.reason,
    job_runs.c.due_at,
    job_runs.c.attempt,
    job_runs.c.fence,
    job_runs.c.takeovers,
    job_runs.c.owner,
    job_runs.c.started_at,
]


@lru_cache
def _statement(dialect: str) -> Executable:
    """Sorted by id lest two inserts wait for each other; rows that are there already are left alone."""
    sent = rows(dialect, columns_of(*_COLUMNS))
    # SQLite reads ON CONFLICT after a SELECT without WHERE as the join condition of one.
    source = select(*(sent.c[column.name] for column in _COLUMNS)).where(true()).order_by(sent.c.id)
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    into = insert(job_runs).from_select([column.name for column in _COLUMNS], source, include_defaults=False)
    return into.on_conflict_do_nothing().returning(job_runs.c.id)


async def insert_runs(connection: AsyncConnection, values: Iterable[dict[str, Any]]) -> set[UUID]:
    """The ids of those that are new."""
    dialect = connection.dialect.name
    return set(await connection.scalars(_statement(dialect), {"rows": encode(dialect, values)}))


def planned_values(job_id: UUID, job_name: str, version: int, run: PlannedRun) -> dict[str, Any]:
    """The row of one occurrence."""
    values = new_values(occurrence_id(job_id, run.occurrence), run.occurrence, job_id, job_name, version)
    return values | {"trigger": run.trigger, "state": run.state, "reason": run.reason}


def new_values(run_id: UUID, at: datetime, job_id: UUID, job_name: str, version: int) -> dict[str, Any]:
    """A row that stands at `at` in the ledger and is due then."""
    return {
        "id": run_id,
        "ledger_at": at,
        "job_id": job_id,
        "job_name": job_name,
        "job_version": version,
        "scheduled_for": at,
        "due_at": at,
        "attempt": 0,
        "fence": 0,
        "takeovers": 0,
        "owner": None,
        "started_at": None,
    }
