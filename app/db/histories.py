"""What the ledger knows of a job about some instants, read for whoever asks what became of them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.readable import readable
from app.db.runs import RUN_COLUMNS, as_run
from app.db.spans import as_span
from app.db.tables import OUT_OF_PLACE, job_runs, job_spans
from app.db.trace_tables import replicas
from app.domain.history import StoredVersion, Version
from app.domain.identity import first_id, ledger_window
from app.domain.job import JobDefinition
from app.domain.misfire import DST, EXCLUDED
from app.domain.presence import Presence
from app.domain.replica import Role
from app.domain.restored import RESTORED
from app.domain.run import COUNTED, Run, State, Trigger
from app.domain.span import Span

SILENCE = timedelta(seconds=10)
"""A replica beats every two seconds: one that has been silent for so long is not there, declared dead or not."""

_PLAIN = ("schedule", "timezone", "enabled", "endpoint", "method", "description", "timeout_seconds")
_READ = ("day_rule", "dst_gap", "dst_overlap", "policies")
_TIMES = ("starts_at", "ends_at")
_READ_DEFAULTS = {"day_rule": "or", "dst_gap": "after", "dst_overlap": "first", "policies": {}}


class HistoryRepository:
    """Within the caller's transaction. What is read of runs lies between two instants of the ledger."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def scheduled(self, job_id: UUID, start: datetime, end: datetime, limit: int) -> list[Run]:
        """Runs that the job's schedule made for instants in [start, end], oldest first."""
        run = job_runs.c
        made = run.trigger.in_(COUNTED)
        return await self._runs([*_between(job_id, start, end), made], limit)

    async def by_hand(self, job_id: UUID, start: datetime, end: datetime, limit: int) -> list[Run]:
        """Runs for instants in [start, end] that stand elsewhere in the ledger, or that a person made then."""
        run = job_runs.c
        elsewhere = [run.job_id == job_id, text(OUT_OF_PLACE), run.scheduled_for.between(start, end)]
        found = await self._runs([*elsewhere, run.ledger_at >= start, run.trigger != Trigger.NOTIFY], limit)
        manual = run.trigger == Trigger.MANUAL
        return found + await self._runs([*_between(job_id, start, end), manual], limit)

    async def active(self, job_id: UUID, since: datetime, start: datetime, end: datetime, limit: int) -> list[Run]:
        """Runs that stand in the ledger from `since` on, and were active at some time in [start, end]; newest first."""
        run = job_runs.c
        active = (run.started_at <= end) & (run.finished_at.is_(None) | (run.finished_at >= start))
        which = [*_between(job_id, since, end), active, run.trigger != Trigger.NOTIFY]
        query = select(*RUN_COLUMNS).where(*which).order_by(run.id.desc()).limit(limit)
        return [as_run(row) for row in await self._connection.execute(query)]

    async def among(self, ids: Collection[UUID]) -> list[Run]:
        """Those of the runs that there are."""
        if not ids:
            return []
        run = job_runs.c
        windows = [ledger_window(run_id) for run_id in ids]
        oldest, newest = min(start for start, _ in windows), max(end for _, end in windows)
        return await self._runs([run.id.in_(ids), run.ledger_at >= oldest, run.ledger_at < newest], len(ids))

    async def made_after(self, job_id: UUID, after: datetime) -> int:
        """How many runs that count against `max_runs` stand in the ledger after the instant."""
        run = job_runs.c
        query = select(func.count()).where(run.job_id == job_id, run.id > first_id(after), run.ledger_at > after)
        return int((await self._connection.execute(query.where(_made()))).scalar_one())

    async def made_before_last(self, job_id: UUID, count: int) -> datetime | None:
        """The instant of the run that counts against `max_runs` and has so many after it that do."""
        run = job_runs.c
        query = select(run.ledger_at).where(run.job_id == job_id, _made()).order_by(run.id.desc())
        found: datetime | None = await self._connection.scalar(query.offset(count).limit(1))
        return found

    async def spans(self, job_id: UUID, start: datetime, end: datetime) -> list[Span]:
        """Those that hold any of [start, end], oldest first."""
        span = job_spans.c
        query = select(job_spans).where(span.job_id == job_id, span["from"] < end)
        query = query.where(span.until.is_(None) | (span.until >= start)).order_by(span["from"], span.id)
        return [as_span(row._mapping) for row in await self._connection.execute(query)]

    async def presences(self, start: datetime, now: datetime) -> list[Presence]:
        """Of the replicas that were there at `start` or since, and of the last one before."""
        replica = replicas.c
        last = (
            select(func.max(replica.heartbeat))
            .where(replica.heartbeat < start, replica.role != Role.API)
            .scalar_subquery()
        )
        query = select(replica.started_at, replica.heartbeat, replica.dead)
        query = query.where(replica.role != Role.API)
        found = await self._connection.execute(query.where((replica.heartbeat >= start) | (replica.heartbeat == last)))
        return [
            Presence(row.started_at, row.heartbeat if row.dead or row.heartbeat < now - SILENCE else None)
            for row in found
        ]

    async def _runs(self, which: Sequence[ColumnElement[bool] | Any], limit: int) -> list[Run]:
        query = select(*RUN_COLUMNS).where(*which).order_by(job_runs.c.id).limit(limit)
        return [as_run(row) for row in await self._connection.execute(query)]


def _made() -> ColumnElement[bool]:
    run = job_runs.c
    left_out = (run.state == State.SKIPPED) & (run.reason.startswith(EXCLUDED) | (run.reason == DST))
    missed = (run.state == State.MISSED) & (func.coalesce(run.reason, "") != RESTORED)
    return run.trigger.in_(COUNTED) & ~missed & ~func.coalesce(left_out, False)


def _between(job_id: UUID, start: datetime, end: datetime) -> list[ColumnElement[bool]]:
    """Ids sort by time: with them the index leads there, whatever else stands in the partition."""
    run = job_runs.c
    after = ledger_window(first_id(end))[1]
    return [
        run.job_id == job_id,
        run.ledger_at.between(start, end),
        run.id >= first_id(start),
        run.id < first_id(after),
    ]


def read_version(stored: StoredVersion, name: str) -> Version:
    """What this program can't read has its default, and the version a problem. `name` is for those that have none."""
    known = {key: stored.definition.get(key, default) for key, default in _READ_DEFAULTS.items()}
    values, problem = readable(known)
    plain = {"endpoint": None} | {key: stored.definition[key] for key in _PLAIN if key in stored.definition}
    times: dict[str, Any] = {key: _instant(stored.definition.get(key)) for key in _TIMES}
    job = JobDefinition(
        name=stored.definition.get("name", name), **plain, **times, **{key: values[key] for key in _READ}
    )
    anchor = _instant(stored.definition.get("anchor")) or stored.effective_from
    return Version(stored.version, stored.effective_from, stored.effective_until, job, anchor, problem)


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
