"""Recording: what became of calls, in batches, wherever owner and fence still hold; the rest is discarded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, case, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.engine import Database
from app.db.results import FACTS, JobFacts, job_facts, run_result
from app.db.rows import columns_of, encode, rows
from app.db.tables import cron_jobs, job_runs
from app.db.types import AnyRow, UtcDateTime
from app.domain.claim import Finished, Held
from app.domain.identity import ledger_window
from app.domain.run import State

_RESULT = ("state", "reason", "started_at", "finished_at", "status_code", "error", "response_excerpt")


class RecordTransaction:
    """See `scheduler.ports.RecordStore.record`. Locks jobs by id, then runs by id, as everything does."""

    def __init__(self, database: Database) -> None:
        self._database = database
        run, job = job_runs.c, cron_jobs.c
        dialect = database.dialect
        window = run.ledger_at.between(bindparam("oldest"), bindparam("newest"))
        asked = rows(dialect, columns_of(job.uid))
        self._lock_jobs = (
            select(job.id, job.uid, *(job[name] for name in FACTS))
            .join(asked, asked.c.uid == job.uid)
            .order_by(job.id)
            .with_for_update(key_share=True, of=cron_jobs)
        )
        asked_runs = rows(dialect, columns_of(run.id, run.ledger_at))
        self._lock_runs = (
            select(run.id, run.owner, run.fence, run.state)
            .join(asked_runs, (asked_runs.c.id == run.id) & (asked_runs.c.ledger_at == run.ledger_at))
            .where(window)
            .order_by(run.id)
            .with_for_update(of=job_runs)
        )
        result = rows(dialect, columns_of(run.id, run.ledger_at, *(run[name] for name in _RESULT)))
        pending = result.c.state == State.PENDING
        self._write_runs = (
            update(job_runs)
            .where(run.id == result.c.id, run.ledger_at == result.c.ledger_at, window)
            .values({name: result.c[name] for name in _RESULT})
            .values(
                started_at=case((run.attempt == 1, result.c.started_at), else_=run.started_at),
                due_at=case((pending, database.now), else_=run.due_at),
                owner=case((pending, None), else_=run.owner),
            )
        )
        facts = rows(dialect, columns_of(job.id, *(job[name] for name in FACTS)))
        self._write_jobs = update(cron_jobs).where(job.id == facts.c.id).values({name: facts.c[name] for name in FACTS})
        stale = rows(dialect, columns_of(run.id, run.ledger_at, until=UtcDateTime()))
        self._forget_excerpts = (
            update(job_runs)
            .where(run.id == stale.c.id, run.ledger_at >= stale.c.ledger_at, run.ledger_at < stale.c.until)
            .where(run.ledger_at >= bindparam("oldest"), run.ledger_at < bindparam("newest"))
            .values(response_excerpt=None)
        )

    async def record(self, replica: UUID, finished: Sequence[Finished]) -> set[UUID]:
        ledger_at = [each.started.ledger_at for each in finished]
        window = {"oldest": min(ledger_at), "newest": max(ledger_at)}
        async with self._database.begin() as connection:
            jobs = await self._locked_jobs(connection, finished)
            held = await self._held(connection, replica, finished, window)
            kept = [each for each in finished if each.started.held in held]
            if kept:
                await self._write(connection, kept, jobs, window)
        return {each.started.call.run_id for each in kept}

    async def _locked_jobs(self, connection: AsyncConnection, finished: Sequence[Finished]) -> dict[UUID, AnyRow]:
        asked = ({"uid": uid} for uid in {each.started.call.job_id for each in finished})
        found = await connection.execute(self._lock_jobs, {"rows": self._encode(asked)})
        return {row.uid: row for row in found}

    async def _held(
        self, connection: AsyncConnection, replica: UUID, finished: Sequence[Finished], window: dict[str, Any]
    ) -> set[Held]:
        """What this replica holds of these runs, by their rows as they are once they are locked."""
        asked = ({"id": each.started.call.run_id, "ledger_at": each.started.ledger_at} for each in finished)
        found = await connection.execute(self._lock_runs, {"rows": self._encode(asked)} | window)
        return {(row.id, row.fence) for row in found if row.owner == replica and row.state == State.RUNNING}

    async def _write(
        self, connection: AsyncConnection, kept: Sequence[Finished], jobs: dict[UUID, AnyRow], window: dict[str, Any]
    ) -> None:
        facts = job_facts(kept, jobs)
        results = [run_result(each, facts.get(each.started.call.job_id)) for each in kept]
        await connection.execute(self._write_runs, {"rows": self._encode(results)} | window)
        changed = [{"id": jobs[uid].id} | new.values() for uid, new in facts.items()]
        if changed:
            await connection.execute(self._write_jobs, {"rows": self._encode(changed)})
        if stale := _outdated(facts, jobs):
            window = {
                "oldest": min(each["ledger_at"] for each in stale),
                "newest": max(each["until"] for each in stale),
            }
            await connection.execute(self._forget_excerpts, {"rows": self._encode(stale)} | window)

    def _encode(self, values: Iterable[Mapping[str, Any]]) -> str:
        return encode(self._database.dialect, values)


def _outdated(facts: dict[UUID, JobFacts], jobs: dict[UUID, AnyRow]) -> list[dict[str, Any]]:
    """The runs whose excerpt goes: each was its job's last success until now."""
    before = ((jobs[uid].last_success_run, new.last_success_run) for uid, new in facts.items())
    gone = [old for old, new in before if old is not None and old != new]
    windows = ((run_id, *ledger_window(run_id)) for run_id in gone)
    return [{"id": run_id, "ledger_at": start, "until": end} for run_id, start, end in windows]
