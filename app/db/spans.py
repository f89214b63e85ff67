"""Stretches of occurrences that share one fate: (from, until], open while `until` is null."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from uuid import UUID

from sqlalchemy import Executable, RowMapping, func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.partial import MARIADB
from app.db.rows import columns_of, encode, rows
from app.db.tables import OPEN, job_spans
from app.domain.job import PersistedJob
from app.domain.misfire import PlannedSpan
from app.domain.span import Span

_COLUMNS = (
    job_spans.c.job_id,
    job_spans.c.version,
    job_spans.c["from"],
    job_spans.c.until,
    job_spans.c.count,
    job_spans.c.reason,
)


@lru_cache
def _statement(dialect: str) -> Executable:
    sent = rows(dialect, columns_of(*_COLUMNS))
    names = [column.name for column in _COLUMNS]
    return insert(job_spans).from_select(names, select(*(sent.c[name] for name in names)))


async def insert_spans(connection: AsyncConnection, spans: Iterable[tuple[UUID, int, PlannedSpan]]) -> None:
    """Closed spans: (job id, version, span)."""
    dialect = connection.dialect.name
    values = [
        {"job_id": job_id, "version": version, "from": span.after, "until": span.until}
        | {"count": span.count, "reason": span.reason}
        for job_id, version, span in spans
    ]
    if values:
        await connection.execute(_statement(dialect), {"rows": encode(dialect, values)})


class SpanRepository:
    """The spans of one job, within the caller's transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, spans: Iterable[tuple[UUID, int, PlannedSpan]]) -> None:
        """Closed ones."""
        await insert_spans(self._connection, spans)

    async def open(self, jobs: Iterable[PersistedJob], at: datetime, reason: str) -> None:
        """For each job, from `at` on, with what was said of its pause."""
        said = (
            {"job_id": job.uid, "version": job.version, "note": job.pause_note, "paused_until": job.paused_until}
            for job in jobs
        )
        if values := [each | {"from": at, "reason": reason} for each in said]:
            await self._connection.execute(insert(job_spans), values)

    async def open_unread(self, job_id: UUID, version: int, at: datetime, reason: str) -> None:
        """For a job whose row this program can't read."""
        values = {"job_id": job_id, "version": version, "from": at, "reason": reason}
        await self._connection.execute(insert(job_spans), values)

    async def opened(self, job_ids: Collection[UUID]) -> dict[UUID, Span]:
        """The spans of these jobs that are still open, by job."""
        query = select(job_spans).where(job_spans.c.job_id.in_(job_ids), text(OPEN))
        query = query.with_hint(job_spans, "FORCE INDEX (uq_job_spans_open)", MARIADB)  # or it locks those of all jobs
        found = await self._connection.execute(query.order_by(job_spans.c.id).with_for_update())
        return {row.job_id: as_span(row._mapping) for row in found}

    async def last(self, job_ids: Collection[UUID]) -> datetime | None:
        """Where the last of the spans of these jobs ends, or begins if it is open."""
        ends = func.coalesce(job_spans.c.until, job_spans.c["from"])
        query = select(func.max(ends)).where(job_spans.c.job_id.in_(job_ids))
        latest: datetime | None = (await self._connection.execute(query)).scalar_one()
        return latest

    async def stopped(self, reason: str, limit: int) -> list[UUID]:
        """Jobs whose open span has this reason."""
        query = select(job_spans.c.job_id).where(text(OPEN), job_spans.c.reason == reason)
        return list(await self._connection.scalars(query.limit(limit)))

    async def close(self, counts: Mapping[int, int | None], at: datetime) -> None:
        """End the open spans of these ids, with how many occurrences each holds."""
        dialect = self._connection.dialect.name
        sent = rows(dialect, columns_of(job_spans.c.id, job_spans.c.count))
        ended = update(job_spans).where(job_spans.c.id == sent.c.id).values(until=at, count=sent.c.count)
        values = ({"id": span_id, "count": count} for span_id, count in counts.items())
        await self._connection.execute(ended, {"rows": encode(dialect, values)})

    async def page(self, job_id: UUID, before: int | None, limit: int) -> list[Span]:
        """Newest first; `before` is the id of the last span of the page before."""
        query = select(job_spans).where(job_spans.c.job_id == job_id).order_by(job_spans.c.id.desc()).limit(limit)
        if before is not None:
            query = query.where(job_spans.c.id < before)
        return [as_span(row._mapping) for row in await self._connection.execute(query)]


def as_span(row: RowMapping) -> Span:
    return Span(
        id=row["id"],
        job_id=row["job_id"],
        version=row["version"],
        after=row["from"],
        until=row["until"],
        count=row["count"],
        reason=row["reason"],
        note=row["note"],
        paused_until=row["paused_until"],
    )
