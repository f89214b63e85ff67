"""Starting pending runs: committed before the first byte leaves.

Jobs are locked, then limits, then runs; what they are judged by is counted after that.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Select, Text, case, func, null, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.callbacks import CallbackTransaction
from app.db.calls import CALL_COLUMNS, CALLBACK_COLUMNS, callback_values, notice, started
from app.db.days import among_sent, keys_of
from app.db.deadlines import expire
from app.db.engine import Database
from app.db.gates import read_gates
from app.db.held_up import LeftOut, closed_gates, first_of, with_room
from app.db.limits import LimitRepository
from app.db.locking import ALL
from app.db.overlaps import end_previous
from app.db.policies import policies_in_force
from app.db.rows import columns_of, encode, rows
from app.db.tables import FREE, cron_jobs, job_runs
from app.db.types import AnyRow
from app.domain.claim import Held, Opened, Queued, Recorded, Started, Starts
from app.domain.gates import CATCH_UP_KEY, Asking, Decision, Gates, Limit, Skip, Start, Wait, key_of
from app.domain.lifecycle import require
from app.domain.run import State, Trigger

_WRITTEN = (
    *("state", "reason", "waiting_for", "delayed_by", "limit_key", "job_version", "owner"),
    *("fence", "attempt", "started_at", "finished_at", "deadline_at", *CALLBACK_COLUMNS),
)
_OF_THE_LAST_ATTEMPT = ("error", "status_code", "response_excerpt", "callback_status")

_HOST = func.coalesce(job_runs.c.host, cron_jobs.c.host)
"""Whom a run calls: a notice has a host of its own."""

_Judged = tuple[AnyRow, Asking, Decision]


class StartTransaction:
    """See `scheduler.ports.StartStore`. So many runs that are caught up start in a second, over all replicas."""

    def __init__(self, database: Database, catch_up_rate: float = 10.0) -> None:
        self._database = database
        self._catch_up_rate = catch_up_rate
        self._callbacks = CallbackTransaction(database)
        self._rate_is_set = False
        run, job = job_runs.c, cron_jobs.c
        asked = rows(database.dialect, columns_of(run.id, run.ledger_at, host=Text()))
        same = (asked.c.id == run.id) & (asked.c.ledger_at == run.ledger_at)
        among = among_sent(database.dialect)
        wanted = (
            select(run.id, run.job_id, run.trigger, run.state, run.attempt, run.waiting_for, run.backfill_id)
            .join_from(job_runs, asked, same)
            .join(cron_jobs, (job.uid == run.job_id) & (asked.c.host == _HOST))
            .where(among, run.due_at <= database.now)
        )
        if database.dialect == "mariadb":
            wanted = _jobs_alone(wanted.add_columns(run.host.label("own_host"), asked.c.host.label("asked_host")))
        wanted = wanted.add_columns(*CALL_COLUMNS, database.now.label("now")).order_by(job.id)
        self._look_for_jobs = wanted
        self._lock_jobs = wanted.with_for_update(key_share=True, skip_locked=True, of=cron_jobs)
        # Locked by others means started, canceled or taken over by others: there is nothing to wait for. The state is
        # judged afterwards: in the statement, it led through the index of all that is pending, which may be a lot.
        self._lock_runs = (
            select(run.id, run.ledger_at, run.job_id, run.job_version, run.scheduled_for, run.trigger, run.state)
            .add_columns(
                run.attempt, run.fence, run.failures, run.started_at, run.due_at, run.deadline_at, run.waiting_for
            )
            .add_columns(run.reason, run.owner, run.limit_key, run.finished_at, database.now.label("now"))
            .add_columns(run.host, run.call, run.delayed_by, run.backfill_id)
            .add_columns(*(run[name] for name in CALLBACK_COLUMNS))
            .join(asked, same)
            .where(among, run.due_at <= database.now)
            .order_by(run.id)
            .with_for_update(of=job_runs, skip_locked=True)
        )
        sent = rows(database.dialect, columns_of(run.id, run.ledger_at, *(run[name] for name in _WRITTEN)))
        begun = sent.c.state == State.RUNNING
        self._write = (
            update(job_runs)
            .where(run.id == sent.c.id, run.ledger_at == sent.c.ledger_at, among)
            .values({name: sent.c[name] for name in _WRITTEN})
            .values({name: case((begun, null()), else_=run[name]) for name in _OF_THE_LAST_ATTEMPT})
        )

    async def start(self, replica: UUID, queued: Sequence[Queued], done: Collection[Held] = ()) -> Starts:
        async with self._database.begin() as connection:
            found = await connection.execute(self._lock_jobs, self._asked(queued))
            jobs = {row.id: row for row in found}
            busy = await self._busy(connection, [run for run in queued if run.run_id not in jobs])
            ready = [run for run in queued if run.run_id in jobs]
            begun = await self._start(connection, replica, ready, jobs, done) if ready else []
        return Starts(begun, busy)

    async def _start(
        self,
        connection: AsyncConnection,
        replica: UUID,
        queued: Sequence[Queued],
        jobs: Mapping[UUID, AnyRow],
        done: Collection[Held],
    ) -> list[Started]:
        """`jobs` are locked, by the runs' ids. Runs of others are not to be locked here either."""
        limits = await self._locked_limits(connection, list(jobs.values()))
        found = await connection.execute(self._lock_runs, self._asked(queued))
        runs = [(row, _asking(row, jobs[row.id])) for row in found if _may_start(row)]
        gates = await read_gates(connection, [asking for _, asking in runs], limits, done)
        decided = [(row, asking, _decided(gates, asking)) for row, asking in runs]
        begun = {row.id: _started(row, jobs[row.id]) for row, _, said in decided if isinstance(said, Start)}
        await self._write_all(connection, replica, decided, begun)
        if limits:
            await LimitRepository(connection).spend(limits, max(row.now for row in jobs.values()))
        return list(begun.values())

    async def pending(self, limit: int, full_hosts: Collection[str], overdue: timedelta) -> list[Queued]:
        run, job = job_runs.c, cron_jobs.c
        query = (
            select(run.id, run.ledger_at, _HOST.label("host"))
            .join_from(job_runs, cron_jobs, job.uid == run.job_id)
            .where(text(FREE), run.due_at <= self._database.ago(overdue))
            .where(_HOST.not_in(full_hosts))
            .order_by(run.due_at)
            .limit(limit)
        )
        async with self._database.read() as connection:
            return [Queued(row.id, row.ledger_at, row.host) for row in await connection.execute(query)]

    async def opened(
        self,
        limit: int,
        full_hosts: Collection[str],
        crowded_hosts: Collection[str] = (),
        passed_over: Collection[UUID] = (),
    ) -> Opened:
        async with self._database.read() as connection:
            gates = await closed_gates(connection)
            if not gates or limit < 1:
                return Opened(waited_for=bool(gates))
            now = (await connection.execute(select(self._database.now))).scalar_one()
            room = await with_room(connection, gates, limit, now)
            found = (
                await first_of(connection, room, LeftOut(full_hosts, crowded_hosts, passed_over), limit) if room else []
            )
        return Opened(found, waited_for=True)

    async def expire(self) -> Recorded:
        return await expire(self._database)

    async def time_out(self) -> Recorded:
        return await self._callbacks.time_out()

    async def _busy(self, connection: AsyncConnection, passed_over: Sequence[Queued]) -> list[Queued]:
        """Those that are wanted all the same: somebody else has locked their jobs."""
        if not passed_over:
            return []
        found = await connection.execute(self._look_for_jobs, self._asked(passed_over))
        wanted = {row.id for row in found if row.state == State.PENDING}
        return [run for run in passed_over if run.run_id in wanted]

    async def _write_all(
        self,
        connection: AsyncConnection,
        replica: UUID,
        decided: Sequence[_Judged],
        begun: dict[UUID, Started],
    ) -> None:
        changed = [
            _written(row, decision, replica, begun.get(row.id))
            for row, asking, decision in decided
            if not (isinstance(decision, Wait) and decision.gate == asking.waiting_for)
        ]
        if changed:
            await connection.execute(self._write, self._sent(changed))
        await end_previous(self._database, connection, _ends(decided))

    async def _locked_limits(self, connection: AsyncConnection, wanted: Sequence[AnyRow]) -> dict[str, Limit]:
        """Those that the runs need. The rate of what is caught up is this replica's from its first such run on."""
        keys = {key for row in wanted for gate, key in _asking(row, row).limits.items() if key_of(gate)}
        if not keys:
            return {}
        limits, now = LimitRepository(connection), max(row.now for row in wanted)
        found = await limits.lock(keys, now)
        if CATCH_UP_KEY not in keys or self._rate_is_set:
            return found
        await limits.put(CATCH_UP_KEY, None, self._catch_up_rate, now)
        self._rate_is_set = True
        return await limits.lock(keys, now)

    def _asked(self, queued: Sequence[Queued]) -> dict[str, Any]:
        values = ({"id": run.run_id, "ledger_at": run.ledger_at, "host": run.host} for run in queued)
        return self._sent(list(values))

    def _sent(self, values: Sequence[dict[str, Any]]) -> dict[str, Any]:
        dialect = self._database.dialect
        return {"rows": encode(dialect, values)} | keys_of(
            dialect, ((each["id"], each["ledger_at"]) for each in values)
        )


def _jobs_alone(wanted: Select[Any]) -> Select[Any]:
    """What MariaDB is to lock: all that a query reads, but for its subqueries. See `locking`."""
    job = cron_jobs.c
    chosen = wanted.add_columns(job.id.label("locked")).order_by(job.id).limit(ALL).subquery("chosen")
    same = (job.id == chosen.c.locked) & (chosen.c.asked_host == func.coalesce(chosen.c.own_host, job.host))
    return select(*chosen.c).prefix_with("STRAIGHT_JOIN").join_from(chosen, cron_jobs, same)


def _asking(row: AnyRow, job: AnyRow) -> Asking:
    trigger = Trigger(row.trigger)
    policies = policies_in_force(job.policies, trigger, job.namespace)
    return Asking(row.id, row.job_id, trigger, policies, row.attempt, row.waiting_for, row.backfill_id)


def _may_start(row: AnyRow) -> bool:
    """What is past its deadline is ended by `expire`."""
    return row.state == State.PENDING and (row.deadline_at is None or row.deadline_at > row.now)


def _decided(gates: Gates, asking: Asking) -> Decision:
    decision = gates.judge(asking)
    gates.settle(asking, decision)
    return decision


def _ends(decided: Iterable[_Judged]) -> dict[UUID, UUID]:
    """Each run that another takes over, with that one."""
    return {
        ended: asking.run_id
        for _, asking, decision in decided
        if not isinstance(decision, Skip)
        for ended in decision.ends
    }


def _written(row: AnyRow, decision: Decision, replica: UUID, begun: Started | None) -> dict[str, Any]:
    """The columns of the run as they are to be."""
    values = {name: getattr(row, name) for name in _WRITTEN} | {"id": row.id, "ledger_at": row.ledger_at}
    if isinstance(decision, Wait):
        delayed_by = row.delayed_by if row.attempt else decision.gate
        return values | {"waiting_for": decision.gate, "delayed_by": delayed_by}
    values["waiting_for"] = None
    if isinstance(decision, Skip):
        require(row.state, State.SKIPPED)
        return values | {"state": State.SKIPPED, "reason": decision.reason, "finished_at": row.now}
    return values if begun is None else values | _begun(row, replica, begun)


def _begun(row: AnyRow, replica: UUID, started: Started) -> dict[str, Any]:
    require(row.state, State.RUNNING)
    return callback_values(started) | {
        "state": State.RUNNING,
        "limit_key": started.policies.concurrency_key,
        "job_version": started.call.job_version,
        "owner": replica,
        "fence": started.fence,
        "attempt": started.call.attempt,
        "started_at": row.started_at or row.now,
        "deadline_at": started.deadline_at,
    }


def _started(row: AnyRow, job: AnyRow) -> Started:
    begun = started(
        job,
        run_id=row.id,
        ledger_at=row.ledger_at,
        scheduled_for=row.scheduled_for,
        trigger=Trigger(row.trigger),
        attempt=row.attempt + 1,
        fence=row.fence + 1,
        started_at=row.now,
        due_at=row.due_at,
        deadline_at=row.deadline_at if row.backfill_id is None or row.attempt else _deadline(row, job),
        failures=row.failures,
        first_started_at=row.started_at,
    )
    return begun if row.call is None else notice(begun, row.host, row.call)


def _deadline(row: AnyRow, job: AnyRow) -> datetime | None:
    """Of a run that may have stood in line for hours, before its first call."""
    seconds = policies_in_force(job.policies, row.trigger).deadline_seconds
    return None if seconds is None else row.now + timedelta(seconds=seconds)
