"""New rows of the ledger, in one statement for any number of them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.calls import CALLBACK_COLUMNS
from app.db.tables import job_runs
from app.db.upserts import insert_new
from app.domain.entries import JobRow
from app.domain.identity import occurrence_id
from app.domain.job import PersistedJob
from app.domain.misfire import PlannedRun
from app.domain.namespace import Allowance
from app.domain.run import State
from app.domain.timing import deadline_at, due_at

_COLUMNS = (
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
    job_runs.c.deadline_at,
    job_runs.c.waiting_for,
    job_runs.c.delayed_by,
    job_runs.c.limit_key,
    job_runs.c.retry_of,
    job_runs.c.backfill_id,
    job_runs.c.host,
    job_runs.c.call,
    *(job_runs.c[name] for name in CALLBACK_COLUMNS),
)


async def insert_runs(connection: AsyncConnection, values: Iterable[dict[str, Any]]) -> set[UUID]:
    """The ids of those that are new; rows that are there already are left alone. Their jobs must be locked."""
    return await insert_new(connection, _COLUMNS, values)


def planned_values(job: JobRow | PersistedJob, run: PlannedRun, claimed_at: datetime) -> dict[str, Any]:
    """The row of one occurrence."""
    due = due_at(run, job.uid, job.policies)
    values = new_values(occurrence_id(job.uid, run.occurrence), run.occurrence, job.uid, job.name, job.version)
    values |= {"due_at": due, "deadline_at": deadline_at(run, due, claimed_at, job.policies)}
    return values | {"trigger": run.trigger, "state": run.state, "reason": run.reason}


def skipped(allowance: Allowance) -> dict[str, Any]:
    """What is another with a run for which none is left to its namespace."""
    return {"state": State.SKIPPED, "reason": allowance.reason, "waiting_for": None, "delayed_by": None}


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
        "deadline_at": None,
        "waiting_for": None,
        "delayed_by": None,
        "limit_key": None,
        "retry_of": None,
        "backfill_id": None,
        "host": None,
        "call": None,
        **dict.fromkeys(CALLBACK_COLUMNS),
    }
