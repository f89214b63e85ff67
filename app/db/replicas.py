"""Who is alive, by the database's clock, and what becomes of the runs of those who are not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, case, delete, insert, null, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.attempts import insert_lost
from app.db.callbacks import CallbackTransaction, reported
from app.db.engine import Database
from app.db.failures import count_failures
from app.db.locking import held_elsewhere, locking
from app.db.notices import NOTICE_COLUMNS, tell
from app.db.owners import dead_owners
from app.db.policies import policies_in_force
from app.db.rows import columns_of, encode, rows
from app.db.tables import RUNNING, cron_jobs, job_runs
from app.db.trace_tables import replicas
from app.db.types import AnyRow
from app.domain.lifecycle import require
from app.domain.notice import Event, News
from app.domain.policies import Delivery
from app.domain.replica import Peer, Role, Vitals
from app.domain.retention import KEPT
from app.domain.run import State, Trigger
from app.domain.verdict import DELETED, DIED, Verdict

MAX_TAKEOVERS = 3
"""After so many replicas died on a run, it is taken for what kills them."""

_UNKNOWN = Vitals()
_RUNNING = text(f"({RUNNING})")
_DEAD_OWNERS = dead_owners()
_CALLED_BACK = job_runs.c.callback_status.is_not(None)
"""The target said what became of the call before its replica could."""


class ReplicaRepository:
    """See `scheduler.ports.Membership`. The dead are kept as long as runs are: they say when nobody was there."""

    def __init__(self, database: Database, keep_dead: timedelta = KEPT) -> None:
        self._database = database
        self._keep_dead = keep_dead
        self._callbacks = CallbackTransaction(database)

    async def join(self, replica: UUID, hostname: str, version: str = "", role: Role = Role.ALL) -> None:
        now = self._database.now
        values = {"id": replica, "hostname": hostname[:255], "started_at": now, "heartbeat": now}
        values |= {"version": version, "role": role}
        async with self._database.begin() as connection:
            await connection.execute(insert(replicas).values(values))
            forgotten = replicas.c.heartbeat < self._database.ago(self._keep_dead)
            await connection.execute(delete(replicas).where(replicas.c.dead, forgotten))

    async def beat(self, replica: UUID, vitals: Vitals = _UNKNOWN) -> bool:
        renewed = (
            update(replicas)
            .where(replicas.c.id == replica, ~replicas.c.dead)
            .values(asdict(vitals) | {"heartbeat": self._database.now})
        )
        async with self._database.begin() as connection:
            return (await connection.execute(renewed)).rowcount > 0

    async def peers(self) -> list[Peer]:
        query = select(replicas.c.id, replicas.c.claims).where(~replicas.c.dead, replicas.c.role != Role.API)
        async with self._database.read() as connection:
            return [Peer(row.id, row.claims) for row in await connection.execute(query)]

    async def bury(self, lease: timedelta) -> list[tuple[State, Trigger]]:
        expired = ~replicas.c.dead & (replicas.c.heartbeat < self._database.ago(lease))
        async with self._database.begin() as connection:
            await connection.execute(update(replicas).where(expired).values(dead=True))
        async with self._database.read() as connection:
            dead = list(await connection.scalars(_DEAD_OWNERS))
        if not dead:
            return []
        abandoned = _RUNNING & job_runs.c.owner.in_(dead)
        reports = await self._callbacks.end(abandoned & _CALLED_BACK, reported)
        async with self._database.begin() as connection:
            return reports.became + await self._take_over(connection, abandoned)

    async def leave(self, replica: UUID) -> None:
        async with self._database.begin() as connection:
            await connection.execute(update(replicas).where(replicas.c.id == replica).values(dead=True))

    async def owned(self, replica: UUID) -> dict[UUID, int]:
        run = job_runs.c
        query = select(run.id, run.fence).where(_RUNNING, run.owner == replica)
        async with self._database.read() as connection:
            return {row.id: row.fence for row in await connection.execute(query)}

    async def hand_back(self, replica: UUID, runs: dict[UUID, int]) -> int:
        """The attempt is taken back too: it never left."""
        run = job_runs.c
        async with self._database.begin() as connection:
            held, jobs = await self._locked(connection, _RUNNING & (run.owner == replica))
            found = [row for row in held if runs.get(row.id) == row.fence]
            await self._write(connection, [(row, _handed_back(row, jobs)) for row in found], attempt=run.attempt - 1)
        return len(found)

    async def _take_over(
        self, connection: AsyncConnection, abandoned: ColumnElement[bool]
    ) -> list[tuple[State, Trigger]]:
        """Only a dead replica's runs are taken."""
        run = job_runs.c
        taken, jobs = await self._locked(connection, abandoned & ~_CALLED_BACK)
        fates = [(row, _taken_over(row, jobs)) for row in taken]
        await self._write(connection, fates, takeovers=run.takeovers + 1)
        await insert_lost(connection, taken)
        lost = [row for row, fate in fates if fate.state is State.LOST]
        await count_failures(connection, lost)
        await _tell(connection, lost, jobs)
        return [(fate.state, Trigger(row.trigger)) for row, fate in fates]

    async def _locked(
        self, connection: AsyncConnection, which: ColumnElement[bool]
    ) -> tuple[list[AnyRow], dict[UUID, AnyRow]]:
        """The runs, and those of their jobs that still exist, locked before the runs as everywhere.

        What others hold, and runs that come to match meanwhile, are left for the next look.
        """
        run, job = job_runs.c, cron_jobs.c
        asked = set(await connection.scalars(select(run.job_id).where(which)))
        if not asked:
            return [], {}
        jobs = select(job.policies, *NOTICE_COLUMNS, self._database.now.label("now")).where(job.uid.in_(asked))
        locked = locking(self._database.dialect, jobs, key_share=True, skip_locked=True)
        kept = {row.uid: row for row in await connection.execute(locked)}
        asked -= await held_elsewhere(connection, asked, kept)
        runs = select(run.id, run.ledger_at, run.job_id, run.trigger, run.state, run.fence, run.takeovers)
        runs = (
            runs.add_columns(run.cancel_reason, run.scheduled_for, run.attempt, run.owner, run.started_at)
            .add_columns(self._database.now.label("now"))
            .where(which, run.job_id.in_(asked))
            .order_by(run.id)
            .with_for_update(of=job_runs, skip_locked=True)
        )
        return list(await connection.execute(runs)), kept

    async def _write(self, connection: AsyncConnection, fates: Sequence[tuple[AnyRow, Verdict]], **values: Any) -> None:
        if not fates:
            return
        run, dialect = job_runs.c, self._database.dialect
        sent = rows(dialect, columns_of(run.id, run.ledger_at, run.state, run.reason))
        pending = sent.c.state == State.PENDING
        statement = (
            update(job_runs)
            .where(run.id == sent.c.id, run.ledger_at == sent.c.ledger_at)
            .values(
                state=sent.c.state,
                reason=sent.c.reason,
                owner=case((pending, null()), else_=run.owner),
                due_at=case((pending, self._database.now), else_=run.due_at),
                finished_at=case((pending, null()), else_=self._database.now),
            )
            .values(values)
        )
        await connection.execute(statement, {"rows": encode(dialect, map(_sent, fates))})


async def _tell(connection: AsyncConnection, lost: Sequence[AnyRow], jobs: Mapping[UUID, AnyRow]) -> None:
    told = (run for run in lost if run.job_id in jobs and run.trigger != Trigger.NOTIFY)
    await tell(connection, ((jobs[run.job_id], _news(run)) for run in told))


def _news(run: AnyRow) -> News:
    facts = {"run_id": run.id, "scheduled_for": run.scheduled_for, "attempt": run.attempt}
    return News(event=Event.LOST, state=State.LOST, reason=DIED, **facts)


def _handed_back(run: AnyRow, jobs: Mapping[UUID, AnyRow]) -> Verdict:
    if run.cancel_reason is not None:
        return Verdict(State.CANCELED, run.cancel_reason)
    return Verdict(State.PENDING) if run.job_id in jobs else Verdict(State.CANCELED, DELETED)


def _taken_over(run: AnyRow, jobs: Mapping[UUID, AnyRow]) -> Verdict:
    """Its call may have come to its end, which nobody heard of."""
    if run.cancel_reason is not None:
        return Verdict(State.CANCELED, run.cancel_reason)
    again = run.job_id in jobs and _is_called_again(run, jobs[run.job_id])
    return Verdict(State.PENDING) if again and run.takeovers < MAX_TAKEOVERS else Verdict(State.LOST, DIED)


def _is_called_again(run: AnyRow, job: AnyRow) -> bool:
    return policies_in_force(job.policies, run.trigger).delivery is Delivery.AT_LEAST_ONCE


def _sent(fate: tuple[AnyRow, Verdict]) -> dict[str, Any]:
    run, verdict = fate
    require(run.state, verdict.state)
    return {"id": run.id, "ledger_at": run.ledger_at, "state": verdict.state, "reason": verdict.reason}
