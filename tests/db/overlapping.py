"""Jobs whose runs may overlap, and their runs."""

from __future__ import annotations

from typing import Any

from app.domain.claim import Queued
from app.domain.clock import FakeClock
from app.domain.job import PersistedJob
from app.domain.policies import Overlap, Policies
from tests.db.building import (
    MINUTE,
    Ledger,
    queued,
    room_for,
)


async def make_job(ledger: Ledger, overlap: Overlap, name: str = "job", **more: Any) -> PersistedJob:
    return await ledger.create(name, policies=Policies(overlap=overlap, **more))


async def minute(ledger: Ledger, clock: FakeClock, job: PersistedJob, *, room: int = 10) -> Any:
    """The next occurrence is claimed."""
    clock.step(MINUTE)
    return await ledger.claim(clock.now(), job, slots=room_for(room))


async def two_pending(ledger: Ledger, clock: FakeClock, job: PersistedJob) -> list[Queued]:
    for _ in range(2):
        await minute(ledger, clock, job, room=0)
    return [queued(run) for run in await ledger.runs_of(job)]


async def open_runs(ledger: Ledger) -> list[Queued]:
    return (await ledger.starts.opened(10, [])).runs
