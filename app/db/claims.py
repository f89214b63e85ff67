"""The claim: one transaction that decides whether an occurrence may run, and makes its row.

Lock first, then count, then write. A job that is locked by somebody else is passed over, see `app.db.locking`. An
INSERT ... SELECT without the lock runs a job whose delete commits meanwhile; for the count see `app.db.gates`.
`next_run` advances for every job that was locked, also where the run exists already, or it would stand still for ever.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from sqlalchemy import Integer, Select, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.calls import CALL_COLUMNS
from app.db.claimed_runs import claimed_runs, decide
from app.db.daily_quotas import daily_quotas, has_daily_quota
from app.db.engine import Database
from app.db.gates import read_gates
from app.db.insert_runs import insert_runs
from app.db.notices import notices
from app.db.overlaps import end_previous
from app.db.partitions import ensure_partitions, is_missing_partition
from app.db.rows import encode, rows
from app.db.runs import RunRepository
from app.db.spans import insert_spans
from app.db.tables import cron_jobs
from app.db.types import AnyRow, UtcDateTime
from app.domain.claim import Candidate, Claims, Held, Slots
from app.domain.course import remaining
from app.domain.misfire import Plan


class ClaimTransaction:
    """See `scheduler.ports.ClaimStore.claim`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        asked = rows(database.dialect, {"id": Integer()})
        self._look = (
            select(cron_jobs.c.id, cron_jobs.c.enabled, cron_jobs.c.next_run, cron_jobs.c.runs_made)
            .add_columns(*CALL_COLUMNS, has_daily_quota(), database.now.label("now"))
            .join(asked, asked.c.id == cron_jobs.c.id)
            .order_by(cron_jobs.c.id)
        )
        self._lock = self._look.with_for_update(key_share=True, skip_locked=True, of=cron_jobs)
        due = rows(database.dialect, {"id": Integer(), "next_run": UtcDateTime(), "made": Integer()})
        self._advance = (
            update(cron_jobs)
            .where(cron_jobs.c.id == due.c.id)
            .values(next_run=due.c.next_run, completed=due.c.next_run.is_(None))
            .values(runs_made=cron_jobs.c.runs_made + due.c.made)
        )

    async def claim(
        self, replica: UUID, candidates: Sequence[Candidate], slots: Slots, done: Collection[Held] = ()
    ) -> Claims:
        try:
            return await self._attempt(replica, candidates, slots, done)
        except IntegrityError as error:
            if not is_missing_partition(error):
                raise
        instants = {run.occurrence for candidate in candidates for run in candidate.plan.runs}
        await ensure_partitions(self._database, instants)
        return await self._attempt(replica, candidates, slots, done)

    async def _attempt(
        self, replica: UUID, candidates: Sequence[Candidate], slots: Slots, done: Collection[Held]
    ) -> Claims:
        claims = Claims()
        try:
            async with self._database.begin() as connection:
                locked = await self._read(connection, self._lock, candidates)
                others = [candidate for candidate in candidates if candidate.job.id not in locked]
                seen = await self._read(connection, self._look, others) if others else {}
                for candidate in candidates:
                    _judge(claims, candidate, locked, seen)
                if claims.won:
                    async with daily_quotas(connection, claims, locked) as allowances:
                        runs = claimed_runs(claims, locked, allowances)
                        gates = await read_gates(connection, [run.asking for run in runs if run.asking], done=done)
                        values, ends = decide(runs, gates, claims, slots, replica)
                    await end_previous(self._database, connection, ends)
                    await self._write(connection, claims, values, slots)
                    await _tell(connection, claims, locked)
        except BaseException:
            for run in claims.started:
                slots.release(run.host)
            raise
        return claims

    async def _read(
        self, connection: AsyncConnection, query: Select[Any], candidates: Sequence[Candidate]
    ) -> dict[int, AnyRow]:
        asked = encode(self._database.dialect, ({"id": candidate.job.id} for candidate in candidates))
        return {row.id: row for row in await connection.execute(query, {"rows": asked})}

    async def _write(
        self, connection: AsyncConnection, claims: Claims, values: Sequence[dict[str, Any]], slots: Slots
    ) -> None:
        inserted = await insert_runs(connection, values)
        _drop_conflicts(claims, inserted, slots)
        await insert_spans(connection, ((c.job.uid, c.job.version, span) for c in claims.won for span in c.plan.spans))
        advanced = ({"id": c.job.id, "next_run": c.plan.next, "made": c.plan.made} for c in claims.won)
        await connection.execute(self._advance, {"rows": encode(self._database.dialect, advanced)})


async def _tell(connection: AsyncConnection, claims: Claims, locked: Mapping[int, AnyRow]) -> None:
    """Of what was missed."""
    told = [
        (each.job, news) for each in claims.won if each.job.policies.notify and (news := each.plan.missed(each.job.uid))
    ]
    if values := [row for job, news in told for row in notices(job, job.policies.notify, news, locked[job.id].now)]:
        await RunRepository(connection).add(values)


def _judge(claims: Claims, candidate: Candidate, locked: Mapping[int, AnyRow], seen: Mapping[int, AnyRow]) -> None:
    """Sort the candidate by what its row says. One that was only seen is locked by somebody who may change it."""
    row = locked.get(candidate.job.id) or seen.get(candidate.job.id)
    if row is None or not row.enabled or row.version != candidate.job.version or row.next_run is None:
        claims.stale.append(candidate)
    elif row.next_run != candidate.plan.first:
        claims.moved.append((candidate, row.next_run))
    elif candidate.job.id not in locked:
        claims.busy.append(candidate)
    elif (plan := _limited(candidate, row)).latest > row.now:
        claims.early.append(candidate)
    else:
        claims.won.append(replace(candidate, plan=plan))


def _limited(candidate: Candidate, row: AnyRow) -> Plan:
    return candidate.plan.limited(remaining(candidate.job.policies, row.runs_made))


def _drop_conflicts(claims: Claims, inserted: set[UUID], slots: Slots) -> None:
    """A run that was in the ledger already is somebody's, not ours."""
    for run in claims.started:
        if run.call.run_id not in inserted:
            slots.release(run.host)
    claims.started = [run for run in claims.started if run.call.run_id in inserted]
    claims.queued = [run for run in claims.queued if run.run_id in inserted]
