"""A paused job, and its spans."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from app.domain.job import PersistedJob
from tests.db.building import (
    MINUTE,
    NOON,
    SECOND,
    Ledger,
)

UNTIL = NOON + 10 * MINUTE + 30 * SECOND


async def paused(ledger: Ledger, *, until: datetime | None = UNTIL, note: str | None = None, **more: Any) -> Any:
    job = await ledger.create(**more)
    await ledger.jobs.set_enabled("job", enabled=False, until=until, note=note)
    return job


async def spans(ledger: Ledger, job: PersistedJob) -> list[tuple[Any, ...]]:
    return [(span.after, span.until, span.reason, span.note) for span in await ledger.spans_of(job)]
