"""Attempts that a target accepts with 202, for tests."""

from __future__ import annotations

from typing import Any

from app.domain.callback import Said
from app.domain.claim import Finished, Recorded, Started
from app.domain.clock import FakeClock
from app.domain.job import PersistedJob
from app.domain.policies import AsyncCompletion, Policies
from app.domain.retry import Retry
from app.domain.run import Outcome
from tests.db.building import ME, MINUTE, SECOND, Ledger

TIMEOUT = 600 * SECOND
LATER = Policies(async_completion=AsyncCompletion(timeout_seconds=600), retry=Retry(jitter=False))


async def begun(
    ledger: Ledger, clock: FakeClock, policies: Policies = LATER, **more: Any
) -> tuple[PersistedJob, Started]:
    """A job whose one run is being called by ME."""
    job = await ledger.create(policies=policies, **more)
    clock.step(MINUTE)
    return job, await ledger.running(clock.now(), job)


async def waiting(
    ledger: Ledger, clock: FakeClock, policies: Policies = LATER, **more: Any
) -> tuple[PersistedJob, Started]:
    """A job whose one run was accepted."""
    job, started = await begun(ledger, clock, policies, **more)
    await accept(ledger, started)
    clock.step(SECOND)
    return job, started


def accepted(started: Started) -> Finished:
    """Answered with 202, a second after its start."""
    began = started.started_at + 0.25 * SECOND
    outcome = Outcome(error=None, status_code=202, response_excerpt="queued", accepted=True)
    return Finished(started, outcome, began, began + 0.75 * SECOND)


async def accept(ledger: Ledger, started: Started) -> Recorded:
    return await ledger.records.record(ME, [accepted(started)])


async def say(ledger: Ledger, started: Started, said: str, error: str | None = None, result: str | None = None) -> None:
    """As the target does that was called."""
    assert started.call.callback_token is not None
    await ledger.callbacks.report(started.call.run_id, started.call.callback_token, Said(said), error, result)
