"""Attempts that end by a callback, or for want of one. See `app.domain.callback`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.attempts import insert_lost
from app.db.ends import AttemptEnds
from app.db.engine import Database
from app.db.policies import policies_in_force
from app.db.tables import CALLED_BACK, cron_jobs, job_runs
from app.db.types import AnyRow
from app.domain.callback import Report, Said, opens, waits_until
from app.domain.claim import Finished, Recorded, Started
from app.domain.errors import CallbackNotFound, Conflict
from app.domain.identity import ledger_window
from app.domain.lifecycle import require
from app.domain.policies import Policies
from app.domain.run import Call, Outcome, State, Trigger
from app.domain.verdict import verdict

BATCH = 1000

REPORTED = ("callback_status", "error", "response_excerpt")
"""Where a callback is kept that comes while its call is under way."""

_RUN = [
    *(job_runs.c[name] for name in ("id", "ledger_at", "job_id", "job_name", "job_version", "scheduled_for")),
    *(
        job_runs.c[name]
        for name in ("trigger", "state", "attempt", "fence", "owner", "failures", "started_at", "called_at")
    ),
    *(job_runs.c[name] for name in ("deadline_at", "cancel_reason", "status_code", *REPORTED)),
    *(job_runs.c[name] for name in ("callback_token", "callback_seconds")),
]


class CallbackTransaction:
    """Locks the job, then the run, as everything does."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._ends = AttemptEnds(database)

    async def report(self, run_id: UUID, token: str, report: Report) -> Recorded:
        """What a callback says, of the attempt that was sent the token.

        Raises CallbackNotFound where there is none, and Conflict where it has ended.
        """
        async with self._database.read() as connection:
            job_id = _known(await self._one(connection, self._run(run_id)), token).job_id
        async with self._database.begin() as connection:
            jobs = await self._ends.lock_jobs(connection, [job_id])
            row = _known(await self._one(connection, self._run(run_id).with_for_update()), token)
            if row.state not in (State.RUNNING, State.WAITING) or row.callback_status is not None:
                raise Conflict(f"The attempt has ended; the run {run_id} is {row.state}.")
            if report.said is Said.HEARTBEAT:
                await self._extend(connection, row)
            elif row.state == State.RUNNING:
                await self._keep(connection, row, report)
            else:
                return await self._end(connection, [(row, _outcome(row, report))], jobs)
        return Recorded()

    async def time_out(self) -> Recorded:
        """End a batch of attempts whose callback has not come in time."""
        return await self.end(text(CALLED_BACK) & (job_runs.c.due_at <= self._database.now), _timed_out)

    async def end(self, which: ColumnElement[bool], outcome: Callable[[AnyRow], Outcome]) -> Recorded:
        """End a batch of the attempts that match. What others hold just now is left for the next look."""
        run = job_runs.c
        async with self._database.read() as connection:
            asked = set(await connection.scalars(select(run.job_id).where(which).distinct().limit(BATCH)))
        if not asked:
            return Recorded()
        async with self._database.begin() as connection:
            jobs, busy = await self._ends.lock_free_jobs(connection, asked)
            query = self._runs().where(which, run.job_id.in_(asked - busy)).order_by(run.id).limit(BATCH)
            found = list(await connection.execute(query.with_for_update(of=job_runs, skip_locked=True)))
            ended = await self._end(connection, [(row, outcome(row)) for row in found], jobs)
        return replace(ended, more=bool(busy) or len(found) == BATCH)

    async def _end(
        self, connection: AsyncConnection, ended: list[tuple[AnyRow, Outcome]], jobs: dict[UUID, AnyRow]
    ) -> Recorded:
        job = cron_jobs.c
        known = await connection.execute(select(job.uid, job.policies).where(job.uid.in_(jobs)))
        stored = {row.uid: row.policies for row in known}
        verdicts = []
        for row, outcome in ended:
            policies = policies_in_force(stored.get(row.job_id, {}), row.trigger)
            run = Finished(_attempt(row, policies), outcome, _began(row), row.now)
            became = verdict(run, cancel_reason=row.cancel_reason, deleted=row.job_id not in jobs)
            require(row.state, became.state)
            verdicts.append((run, became))
        await insert_lost(connection, [row for row, _ in ended if row.state == State.RUNNING])
        return await self._ends.write(connection, verdicts, jobs)

    async def _extend(self, connection: AsyncConnection, row: AnyRow) -> None:
        until = waits_until(row.now, row.callback_seconds, row.deadline_at)
        await connection.execute(update(job_runs).where(_is(row)).values(due_at=until))

    async def _keep(self, connection: AsyncConnection, row: AnyRow, report: Report) -> None:
        """The call is under way, or on its way to the ledger: whoever records it, or takes it over, finds this."""
        kept = {"callback_status": report.said, "error": report.error, "response_excerpt": report.result}
        await connection.execute(update(job_runs).where(_is(row)).values(kept))

    async def _one(self, connection: AsyncConnection, query: Select[*tuple[object, ...]]) -> AnyRow | None:
        return (await connection.execute(query)).first()

    def _run(self, run_id: UUID) -> Select[*tuple[object, ...]]:
        """Its id names its day's partition."""
        start, end = ledger_window(run_id)
        run = job_runs.c
        return self._runs().where(run.id == run_id, run.ledger_at >= start, run.ledger_at < end)

    def _runs(self) -> Select[*tuple[object, ...]]:
        return select(*_RUN, self._database.now.label("now"))


def reported(row: AnyRow, answer: Outcome | None = None) -> Outcome:
    """How an attempt ended whose callback came before its call was recorded; `answer` is what the call came to."""
    return Outcome(
        error=row.error,
        status_code=None if answer is None else answer.status_code,
        response_excerpt=row.response_excerpt or (None if answer is None else answer.response_excerpt),
    )


def _is(row: AnyRow) -> ColumnElement[bool]:
    return and_(job_runs.c.id == row.id, job_runs.c.ledger_at == row.ledger_at)


def _known(row: AnyRow | None, token: str) -> AnyRow:
    """The answer is the same for a run that is not there."""
    if row is None or not opens(token, row.callback_token):
        raise CallbackNotFound
    return row


def _outcome(row: AnyRow, report: Report) -> Outcome:
    return Outcome(
        error=report.error, status_code=row.status_code, response_excerpt=report.result or row.response_excerpt
    )


def _timed_out(row: AnyRow) -> Outcome:
    late = row.deadline_at is not None and row.now >= row.deadline_at
    within = "by the deadline" if late else f"within {row.callback_seconds:g} s"
    return Outcome(
        error=f"timeout: no callback {within}", status_code=row.status_code, response_excerpt=row.response_excerpt
    )


def _began(row: AnyRow) -> datetime:
    began: datetime = row.started_at if row.attempt == 1 else row.called_at
    return began


def _attempt(row: AnyRow, policies: Policies) -> Started:
    """What was called is not known any more, and calls for nothing."""
    call = Call(
        run_id=row.id,
        job_id=row.job_id,
        job_name=row.job_name,
        job_version=row.job_version,
        scheduled_for=row.scheduled_for,
        trigger=Trigger(row.trigger),
        attempt=row.attempt,
        endpoint="",
        method="",
        headers={},
        body=None,
        timeout_seconds=0,
    )
    return Started(
        call,
        row.ledger_at,
        row.fence,
        "",
        row.called_at,
        policies=policies,
        deadline_at=row.deadline_at,
        failures=row.failures,
        first_started_at=row.started_at,
    )
