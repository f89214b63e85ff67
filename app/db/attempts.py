"""The rows of `job_attempts`: written in batches by whoever learns how calls ended, read by people."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import Executable, select
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.partitions import make_partitions
from app.db.rows import encode
from app.db.tables import job_runs
from app.db.trace_tables import job_attempts
from app.db.types import AnyRow
from app.db.upserts import or_update, sent_into
from app.domain.attempt import Attempt, Ending, Timing
from app.domain.claim import Finished, Held
from app.domain.identity import ledger_window
from app.domain.run import Outcome, State
from app.domain.verdict import DIED

_KEY = ("run_id", "ledger_at", "fence")
_TOLD = [*(column.name for column in job_attempts.c if column.name not in {*_KEY, "outcome"}), "outcome"]
"""The outcome last: MariaDB writes one column after the other, and it is what decides."""

_TIMES = ("dns", "connect", "first_byte")


@lru_cache
def _statement(dialect: str) -> Executable:
    """What a replica tells of its call comes before what was supposed of it; nothing else is written twice."""
    into = sent_into(dialect, tuple(job_attempts.c), "run_id")
    was_supposed = job_attempts.c.outcome == Ending.LOST
    return or_update(into, _KEY, lambda told: {name: told[name] for name in _TOLD}, where=was_supposed)


async def insert_finished(
    connection: AsyncConnection, replica: UUID, finished: Iterable[Finished], held: Collection[Held]
) -> None:
    """Calls whose ends this replica saw; what is not among `held` had gone to another meanwhile."""
    await _insert(connection, [_finished(replica, run, discarded=run.started.held not in held) for run in finished])


async def insert_lost(connection: AsyncConnection, runs: Sequence[AnyRow]) -> None:
    """Calls whose replica died, from the runs as they were; `now` is when that was seen."""
    if runs:
        await make_partitions(connection, (run.ledger_at for run in runs))
        await _insert(connection, map(_lost, runs))


async def _insert(connection: AsyncConnection, values: Iterable[Mapping[str, Any]]) -> None:
    dialect = connection.dialect.name
    await connection.execute(_statement(dialect), {"rows": encode(dialect, values)})


def _lost(run: AnyRow) -> dict[str, Any]:
    began_at = run.started_at if run.attempt == 1 else None
    values = {"run_id": run.id, "ledger_at": run.ledger_at, "fence": run.fence, "attempt": run.attempt}
    values |= dict.fromkeys(("due_at", "status_code", "response_excerpt"))
    values |= {"replica": run.owner, "outcome": Ending.LOST, "discarded": False, "error": DIED}
    return values | {"began_at": began_at, "ended_at": run.now} | _seconds(Timing())


def _finished(replica: UUID, run: Finished, *, discarded: bool) -> dict[str, Any]:
    started, outcome = run.started, run.outcome
    return {
        "run_id": started.call.run_id,
        "ledger_at": started.ledger_at,
        "fence": started.fence,
        "attempt": started.call.attempt,
        "replica": replica,
        "outcome": _ending(outcome),
        "discarded": discarded,
        "due_at": started.due_at,
        "began_at": run.began_at,
        "ended_at": run.ended_at,
        "status_code": None if outcome is None else outcome.status_code,
        "error": run.note if outcome is None else outcome.error,
        "response_excerpt": None if outcome is None or outcome.succeeded else outcome.response_excerpt,
        **_seconds(Timing() if outcome is None else outcome.timing),
    }


def _seconds(timing: Timing) -> dict[str, float | None]:
    return {f"{stage}_seconds": getattr(timing, stage) for stage in _TIMES}


def _ending(outcome: Outcome | None) -> Ending:
    if outcome is None:
        return Ending.CUT
    if outcome.accepted:
        return Ending.ACCEPTED
    return Ending.SUCCEEDED if outcome.succeeded else Ending.FAILED


class AttemptRepository:
    """Within the caller's transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def page(self, run_id: UUID, after: int | None, limit: int) -> list[Attempt]:
        """Oldest first; `after` is the last fence of the page before."""
        attempt = job_attempts.c
        start, end = ledger_window(run_id)
        query = select(job_attempts).where(attempt.run_id == run_id, attempt.fence > (after or 0))
        query = query.where(attempt.ledger_at >= start, attempt.ledger_at < end).order_by(attempt.fence).limit(limit)
        return [_as_attempt(row) for row in await self._connection.execute(query)]

    async def under_way(self, run_id: UUID) -> list[Attempt]:
        """The call that is made just now, if one is."""
        run = job_runs.c
        start, end = ledger_window(run_id)
        query = select(run.fence, run.attempt, run.owner, run.due_at, run.started_at)
        query = query.where(run.id == run_id, run.ledger_at >= start, run.ledger_at < end, run.state == State.RUNNING)
        return [_under_way(row) for row in await self._connection.execute(query)]


def _under_way(row: AnyRow) -> Attempt:
    return Attempt(
        fence=row.fence,
        attempt=row.attempt,
        replica=row.owner,
        outcome=Ending.RUNNING,
        due_at=row.due_at,
        began_at=row.started_at if row.attempt == 1 else None,
    )


def _as_attempt(row: AnyRow) -> Attempt:
    return Attempt(
        fence=row.fence,
        attempt=row.attempt,
        replica=row.replica,
        outcome=Ending(row.outcome),
        discarded=row.discarded,
        due_at=row.due_at,
        began_at=row.began_at,
        ended_at=row.ended_at,
        timing=Timing(*(getattr(row, f"{stage}_seconds") for stage in _TIMES)),
        status_code=row.status_code,
        error=row.error,
        response_excerpt=row.response_excerpt,
    )
