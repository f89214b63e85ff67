"""What tests of the loops have in common."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

from app.domain.claim import Finished, Queued
from app.domain.clock import FakeClock
from app.domain.entries import JobRow
from app.domain.recurrence import Recurrence
from app.domain.run import Outcome
from tests.unit.scheduler.fake_store import started

NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)
MICROSECOND, SECOND, MINUTE, HOUR, DAY = (
    timedelta(**{unit: 1}) for unit in ("microseconds", "seconds", "minutes", "hours", "days")
)
ME, OTHER = UUID(int=0xA), UUID(int=0xB)
ONE, TWO, THREE = "one.example:80", "two.example:80", "three.example:80"


def job(job_id: int, at: datetime = NOON, schedule: str = "* * * * *", version: int = 1) -> JobRow:
    return JobRow(job_id, UUID(int=job_id), f"job-{job_id}", version, at, Recurrence(schedule))


def queued(number: int, host: str = ONE) -> Queued:
    return Queued(UUID(int=number), NOON, host)


def finished(number: int, fence: int = 1) -> Finished:
    return Finished(started(UUID(int=number), NOON, fence=fence), Outcome(error=None), NOON, NOON + SECOND)


async def pass_time(clock: FakeClock, seconds: float, sleepers: int, step: float = 1) -> None:
    """In steps, each of which the loops have dealt with before the next; `sleepers` is how many wait when all do."""
    await _settled(clock, sleepers)
    for _ in range(round(seconds / step)):
        await clock.advance(timedelta(seconds=step))
        await _settled(clock, sleepers)


async def _settled(clock: FakeClock, sleepers: int) -> None:
    """Until all wait, also those that a call which ended meanwhile has woken."""
    await clock.block_until(sleepers)
    await turns()
    await clock.block_until(sleepers)


async def turns(count: int = 20) -> None:
    """Let whatever is ready run: for what must not happen."""
    for _ in range(count):
        ready = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(ready.set_result, None)
        await ready
