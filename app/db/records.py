"""Recording: what became of calls, in batches, wherever owner and fence still hold; the rest is discarded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.attempts import insert_finished
from app.db.callbacks import REPORTED, reported
from app.db.days import among_sent, keys_of
from app.db.ends import AttemptEnds
from app.db.engine import Database
from app.db.partitions import ensure_partitions, is_missing_partition
from app.db.rows import columns_of, encode, rows
from app.db.tables import job_runs
from app.db.types import AnyRow
from app.domain.claim import Finished, Held, Recorded
from app.domain.lifecycle import require
from app.domain.run import State
from app.domain.verdict import Verdict, verdict


class RecordTransaction:
    """See `scheduler.ports.RecordStore.record`. Locks jobs by id, then runs by id, as everything does."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._ends = AttemptEnds(database)
        run = job_runs.c
        asked = rows(database.dialect, columns_of(run.id, run.ledger_at))
        self._lock_runs = (
            select(run.id, run.owner, run.fence, run.state, run.due_at, run.cancel_reason)
            .add_columns(*(run[name] for name in REPORTED))
            .join(asked, (asked.c.id == run.id) & (asked.c.ledger_at == run.ledger_at))
            .where(among_sent(database.dialect))
            .order_by(run.id)
            .with_for_update(of=job_runs)
        )

    async def record(self, replica: UUID, finished: Sequence[Finished]) -> Recorded:
        """The attempts of what is discarded are kept too: those calls were made."""
        try:
            return await self._attempt(replica, finished)
        except IntegrityError as error:
            if not is_missing_partition(error):
                raise
        await ensure_partitions(self._database, {each.started.ledger_at for each in finished})
        return await self._attempt(replica, finished)

    async def _attempt(self, replica: UUID, all_finished: Sequence[Finished]) -> Recorded:
        async with self._database.begin() as connection:
            jobs, busy = await self._ends.lock_free_jobs(connection, {_job(each) for each in all_finished})
            finished = [each for each in all_finished if _job(each) not in busy]
            recorded = await self._record(connection, replica, finished, jobs) if finished else Recorded()
        return replace(recorded, busy=[each for each in all_finished if _job(each) in busy])

    async def _record(
        self, connection: AsyncConnection, replica: UUID, finished: Sequence[Finished], jobs: Mapping[UUID, AnyRow]
    ) -> Recorded:
        held = await self._held(connection, replica, finished)
        verdicts = [_judged(each, held[each.started.held], jobs) for each in finished if each.started.held in held]
        await insert_finished(connection, replica, finished, held)
        return await self._ends.write(connection, verdicts, jobs)

    async def _held(
        self, connection: AsyncConnection, replica: UUID, finished: Sequence[Finished]
    ) -> dict[Held, AnyRow]:
        """What this replica holds of these runs: their rows as they are once they are locked."""
        asked = [{"id": each.started.call.run_id, "ledger_at": each.started.ledger_at} for each in finished]
        dialect = self._database.dialect
        keys = keys_of(dialect, ((each.started.call.run_id, each.started.ledger_at) for each in finished))
        found = await connection.execute(self._lock_runs, {"rows": encode(dialect, asked)} | keys)
        return {(row.id, row.fence): row for row in found if row.owner == replica and row.state == State.RUNNING}


def _job(run: Finished) -> UUID:
    return run.started.call.job_id


def _judged(run: Finished, row: AnyRow, jobs: Mapping[UUID, AnyRow]) -> tuple[Finished, Verdict]:
    """A callback that came before its call was recorded has the word, whatever the call came to."""
    if row.callback_status is not None:
        run = replace(run, outcome=reported(row, run.outcome))
    became = verdict(run, cancel_reason=row.cancel_reason, deleted=run.started.call.job_id not in jobs)
    if became.state is State.WAITING and became.due_at is not None:
        became = replace(became, due_at=max(became.due_at, row.due_at))  # a heartbeat may have come first
    require(row.state, became.state)
    return run, became
