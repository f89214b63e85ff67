"""Backfills of yesterday, and starting their runs."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from app.db.tables import job_runs
from app.domain.backfill import Backfill, BackfillRequest
from app.domain.claim import Queued, Started
from tests.db.building import ME, MINUTE, NOON, Ledger, queued

PAST = NOON - timedelta(days=1)


async def backfill(ledger: Ledger, count: int, concurrency: int = 1, name: str = "job") -> Backfill:
    """Of so many minutes of yesterday."""
    wanted = BackfillRequest(since=PAST, until=PAST + count * MINUTE, max=1000, concurrency=concurrency)
    return (await ledger.backfills.create(name, wanted))[0]


async def ready(ledger: Ledger) -> list[Queued]:
    return (await ledger.starts.opened(1000, [])).runs


async def start(ledger: Ledger, runs: list[Queued] | None = None, replica: UUID = ME) -> list[Started]:
    runs = await ready(ledger) if runs is None else runs
    return (await ledger.starts.start(replica, runs)).begun if runs else []


async def every_run(ledger: Ledger, made: Backfill | None = None) -> list[Queued]:
    """What a replica would know that has not looked at any gate."""
    of = {} if made is None else {"backfill_id": made.id}
    return [queued(row) for row in await ledger.table(job_runs, **of)]


def instants(started: list[Started]) -> list[datetime]:
    return [each.call.scheduled_for for each in started]
