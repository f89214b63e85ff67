"""Attempts that have ended: what that makes of their runs and of their jobs, whoever brought them to their end."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Select, case, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.days import among_sent, keys_of
from app.db.engine import Database
from app.db.locking import held_elsewhere, locking
from app.db.notices import NOTICE_COLUMNS, tell
from app.db.results import FACTS, JobFacts, is_failing, job_facts, run_result
from app.db.rows import columns_of, encode, rows
from app.db.tables import cron_jobs, job_runs
from app.db.types import AnyRow, UtcDateTime
from app.domain.claim import Finished, Queued, Recorded
from app.domain.identity import ledger_window
from app.domain.run import State, Trigger
from app.domain.verdict import Verdict

_RESULT = ("state", "reason", "failures", "finished_at", "status_code", "error", "response_excerpt")

Verdicts = Sequence[tuple[Finished, Verdict]]


class AttemptEnds:
    """Within the caller's transaction, which locks the jobs, then the runs, and then writes."""

    def __init__(self, database: Database) -> None:
        self._dialect = dialect = database.dialect
        run, job = job_runs.c, cron_jobs.c
        among = among_sent(dialect)
        asked = rows(dialect, columns_of(job.uid))
        facts = [job[name] for name in FACTS]
        found = select(job.id, job.host, *facts, *NOTICE_COLUMNS, database.now.label("now"))
        found = found.join(asked, asked.c.uid == job.uid)
        self._lock_jobs = locking(dialect, found, key_share=True)
        self._lock_free_jobs = locking(dialect, found, key_share=True, skip_locked=True)
        result = rows(
            dialect, columns_of(run.id, run.ledger_at, run.due_at, run.started_at, *(run[name] for name in _RESULT))
        )
        pending = result.c.state == State.PENDING
        waiting = result.c.state == State.WAITING
        self._write_runs = (
            update(job_runs)
            .where(run.id == result.c.id, run.ledger_at == result.c.ledger_at, among)
            .values({name: result.c[name] for name in _RESULT})
            .values(
                started_at=case((run.attempt == 1, result.c.started_at), else_=run.started_at),
                due_at=case(
                    (pending, func.coalesce(result.c.due_at, database.now)),
                    (waiting, result.c.due_at),
                    else_=run.due_at,
                ),
                owner=case((pending, None), else_=run.owner),
            )
        )
        sent = rows(dialect, columns_of(job.id, *facts))
        self._write_jobs = update(cron_jobs).where(job.id == sent.c.id).values({name: sent.c[name] for name in FACTS})
        stale = rows(dialect, columns_of(run.id, run.ledger_at, until=UtcDateTime()))
        self._forget_excerpts = (
            update(job_runs)
            .where(run.id == stale.c.id, run.ledger_at >= stale.c.ledger_at, run.ledger_at < stale.c.until)
            .where(among)
            .values(response_excerpt=None)
        )

    async def lock_jobs(self, connection: AsyncConnection, uids: Collection[UUID]) -> dict[UUID, AnyRow]:
        """Those that still exist, waited for."""
        return await self._locked(connection, self._lock_jobs, uids)

    async def lock_free_jobs(
        self, connection: AsyncConnection, uids: Collection[UUID]
    ) -> tuple[dict[UUID, AnyRow], set[UUID]]:
        """Those that still exist, and those of them that are not locked here, since they are elsewhere."""
        locked = await self._locked(connection, self._lock_free_jobs, uids)
        return locked, await held_elsewhere(connection, uids, locked)

    async def write(self, connection: AsyncConnection, verdicts: Verdicts, jobs: Mapping[UUID, AnyRow]) -> Recorded:
        """`jobs` are those of the runs that exist, locked."""
        if not verdicts:
            return Recorded()
        facts, news = job_facts(verdicts, jobs)
        keys = keys_of(self._dialect, ((run.started.call.run_id, run.started.ledger_at) for run, _ in verdicts))
        results = (run_result(run, became, facts.get(run.started.call.job_id)) for run, became in verdicts)
        await connection.execute(self._write_runs, {"rows": self._encode(results)} | keys)
        await self._write_facts(connection, facts, jobs)
        await tell(connection, ((jobs[uid], each) for uid, each in news))
        return _told(verdicts, facts, jobs)

    async def _locked(
        self, connection: AsyncConnection, query: Select[Any], uids: Collection[UUID]
    ) -> dict[UUID, AnyRow]:
        found = await connection.execute(query, {"rows": self._encode({"uid": uid} for uid in uids)})
        return {row.uid: row for row in found}

    async def _write_facts(
        self, connection: AsyncConnection, facts: dict[UUID, JobFacts], jobs: Mapping[UUID, AnyRow]
    ) -> None:
        changed = [{"id": jobs[uid].id} | new.values() for uid, new in facts.items()]
        if changed:
            await connection.execute(self._write_jobs, {"rows": self._encode(changed)})
        if stale := _outdated(facts, jobs):
            keys = keys_of(self._dialect, ((each["id"], each["ledger_at"]) for each in stale))
            await connection.execute(self._forget_excerpts, {"rows": self._encode(stale)} | keys)

    def _encode(self, values: Iterable[Mapping[str, Any]]) -> str:
        return encode(self._dialect, values)


def _told(verdicts: Verdicts, facts: Mapping[UUID, JobFacts], jobs: Mapping[UUID, AnyRow]) -> Recorded:
    return Recorded(
        {run.started.call.run_id: became.state for run, became in verdicts},
        [
            Queued(run.started.call.run_id, run.started.ledger_at, _host(run, jobs), became.due_at)
            for run, became in verdicts
            if became.state is State.PENDING
        ],
        any(is_failing(run, facts.get(run.started.call.job_id)) for run, _ in verdicts),
        [(became.state, run.started.call.trigger) for run, became in verdicts],
    )


def _host(run: Finished, jobs: Mapping[UUID, AnyRow]) -> str:
    """That of the job as it is now; a notice keeps its own."""
    call = run.started.call
    host: str = run.started.host if call.trigger is Trigger.NOTIFY else jobs[call.job_id].host
    return host


def _outdated(facts: dict[UUID, JobFacts], jobs: Mapping[UUID, AnyRow]) -> list[dict[str, Any]]:
    """The runs whose excerpt goes: each was its job's last success until now."""
    before = ((jobs[uid].last_success_run, new.last_success_run) for uid, new in facts.items())
    gone = [old for old, new in before if old is not None and old != new]
    windows = ((run_id, *ledger_window(run_id)) for run_id in gone)
    return [{"id": run_id, "ledger_at": start, "until": end} for run_id, start, end in windows]
