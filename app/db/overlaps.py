"""Runs over which a newer one of their job takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import Text, Uuid, case, func, null, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.engine import Database
from app.db.rows import encode, rows
from app.db.tables import job_runs
from app.db.types import UtcDateTime
from app.domain.identity import ledger_window
from app.domain.lifecycle import before
from app.domain.run import State


def took_over(run_id: UUID) -> str:
    return f"overlap: run {run_id} took over"


async def end_previous(database: Database, connection: AsyncConnection, ended: Mapping[UUID, UUID]) -> None:
    """`ended` maps each to the run that takes over; their jobs must be locked.

    What was never called is skipped, what is between two attempts or waits for its callback canceled. A call under way
    is cut by whoever holds it, for the reason that is left here.
    """
    if not ended:
        return
    run = job_runs.c
    sent = rows(database.dialect, {"id": Uuid(), "reason": Text(), "oldest": UtcDateTime(), "until": UtcDateTime()})
    same = (run.id == sent.c.id) & (run.ledger_at >= sent.c.oldest) & (run.ledger_at < sent.c.until)
    asked = {"rows": encode(database.dialect, _asked(ended))}
    lock = select(run.id).join(sent, same).order_by(run.id).with_for_update(of=job_runs)
    await connection.execute(lock, asked)
    pending, under_way = run.state == State.PENDING, run.state == State.RUNNING
    write = (
        update(job_runs)
        .where(same, run.state.in_(before(State.CANCELED)))
        .values(
            state=case((under_way, run.state), (pending & (run.attempt == 0), State.SKIPPED), else_=State.CANCELED),
            reason=case((under_way, run.reason), else_=sent.c.reason),
            finished_at=case((under_way, null()), else_=database.now),
            waiting_for=null(),
            cancel_reason=case((under_way, func.coalesce(run.cancel_reason, sent.c.reason)), else_=null()),
        )
    )
    await connection.execute(write, asked)


def _asked(ended: Mapping[UUID, UUID]) -> Iterable[dict[str, Any]]:
    for run_id, by in ended.items():
        oldest, until = ledger_window(run_id)
        yield {"id": run_id, "reason": took_over(by), "oldest": oldest, "until": until}
