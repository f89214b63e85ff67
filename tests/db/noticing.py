"""A job with rules for notices, and what came of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from app.domain.clock import FakeClock
from app.domain.job import PersistedJob
from app.domain.notice import Event, Notify
from tests.db.building import MINUTE, ONCE, Ledger, ended

HOST = "ops.example:8443"
RULE = Notify(on=tuple(Event), endpoint="https://ops.example:8443/told", headers={"X-Team": "ops"})
TOLD = replace(ONCE, notify=(RULE,))


async def run_job(ledger: Ledger, clock: FakeClock, job: PersistedJob, error: str | None = "status 503") -> None:
    clock.step(MINUTE)
    await ledger.record(ended(await ledger.running(clock.now(), job), error=error))


async def notices_of(ledger: Ledger, job: PersistedJob) -> list[Any]:
    return [run for run in await ledger.runs_of(job) if run.trigger == "notify"]


async def told_of(ledger: Ledger, job: PersistedJob) -> list[str]:
    return [run.call["body"]["event"] for run in await notices_of(ledger, job)]
