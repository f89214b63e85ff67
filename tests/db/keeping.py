"""Runs of times gone by, and rounds of retention, for tests."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import insert, text

from app.db.insert_runs import new_values
from app.db.tables import job_runs
from app.db.trace_tables import job_attempts
from app.db.transaction import reading, transaction
from app.domain.identity import occurrence_id
from app.domain.job import PersistedJob
from app.service.retention import RetentionService
from tests.db.building import NOON, Ledger

DAY = timedelta(days=1)


async def runs_at(
    ledger: Ledger, job: PersistedJob, *instants: datetime, state: str = "succeeded", **more: Any
) -> None:
    """A run each, with one attempt."""
    rows = [
        new_values(occurrence_id(job.uid, at), at, job.uid, job.name, 1)
        | {"trigger": "schedule", "state": state, "reason": None, "attempt": 1, "started_at": at, "finished_at": at}
        | more
        for at in instants
    ]
    attempts = [
        {"run_id": row["id"], "ledger_at": row["ledger_at"], "fence": 1, "attempt": 1, "outcome": "succeeded"}
        | {"discarded": False, "ended_at": row["ledger_at"]}
        for row in rows
    ]
    async with transaction(ledger.database) as tx:
        await tx.runs.add(rows)
        await tx._connection.execute(insert(job_attempts), attempts)
        for row in rows:  # the insert leaves out how it ended
            await tx._connection.execute(
                job_runs.update().where(job_runs.c.id == row["id"]).values(finished_at=row["ledger_at"])
            )


async def pruned(ledger: Ledger, kept: timedelta = 30 * DAY) -> None:
    """As many rounds as it takes."""
    service = RetentionService(ledger.database, kept)
    for _ in range(100):
        if not await service.prune():
            return
    raise AssertionError("retention does not come to its end")


async def attempts_of(ledger: Ledger) -> list[datetime]:
    async with ledger.database.read() as connection:
        return list(
            await connection.scalars(
                job_attempts.select().with_only_columns(job_attempts.c.ledger_at).order_by("ledger_at")
            )
        )


async def gone_before(ledger: Ledger, job: PersistedJob) -> datetime | None:
    async with reading(ledger.database) as tx:
        return (await tx.retention.pruned([job.uid])).get(job.uid)


async def tables_of(ledger: Ledger, days: Iterable[datetime]) -> set[str]:
    """Of these days, attached or not, without the prefix `job_`."""
    wanted = [f"job_{what}_{day:%Y%m%d}" for day in days for what in ("runs", "attempts")]
    async with ledger.database.read() as connection:
        found = await connection.scalars(
            text("SELECT relname FROM pg_class WHERE relname = ANY(:wanted)"), {"wanted": wanted}
        )
        return {name.removeprefix("job_") for name in found}


def days_ago(days: float) -> datetime:
    return NOON - days * DAY
