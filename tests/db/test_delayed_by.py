"""What kept a run from its first call stands in its row, and costs no statement of its own."""

from __future__ import annotations

import pytest

from app.db.partitions import ensure_partitions
from app.domain.clock import FakeClock
from app.domain.gates import CATCH_UP_RATE, job_gate
from app.domain.job import PersistedJob
from app.domain.policies import Overlap, Policies
from app.domain.retry import Retry
from app.scheduler.slots import CallSlots
from app.service.limits import LimitService
from tests.db.building import ME, MINUTE, Ledger, ended, queued, room_for, roomy
from tests.db.plans import listening

KEY = Policies(concurrency_key="reports", retry=Retry(min_backoff_seconds=0, jitter=False))


async def due(ledger: Ledger, clock: FakeClock, policies: Policies | None = None) -> PersistedJob:
    job = await ledger.create(policies=policies or Policies())
    clock.step(MINUTE)
    return job


async def delays(ledger: Ledger, job: PersistedJob) -> list[str | None]:
    return [run.delayed_by for run in await ledger.runs_of(job)]


@pytest.mark.parametrize(
    ("slots", "delay"),
    [
        (roomy(), None),
        (room_for(0), "replica"),
        (CallSlots(10, 0, lambda: None), "host one.example:80"),
    ],
    ids=["room", "full", "full host"],
)
async def test_a_claim_says_why_it_did_not_start_a_run(
    ledger: Ledger, clock: FakeClock, slots: CallSlots, delay: str | None
) -> None:
    job = await due(ledger, clock)
    candidate = await ledger.candidate(job, clock.now())
    await ensure_partitions(ledger.database, [clock.now()])
    with listening(ledger.database) as sent:
        await ledger.claims.claim(ME, [candidate], slots)
    assert await delays(ledger, job) == [delay]
    known = ledger.database.dialect == "mariadb"  # which runs there are already
    assert len([statement for statement, _ in sent if not statement.startswith("BEGIN")]) == 4 + known


async def test_a_claim_says_which_gate_holds_a_run_up(ledger: Ledger, clock: FakeClock) -> None:
    job = await due(ledger, clock, Policies(overlap=Overlap.QUEUE, max_queued=9))
    await ledger.running(clock.now(), job)
    clock.step(MINUTE)
    await ledger.claim(clock.now(), job)
    assert await delays(ledger, job) == [None, job_gate(job.uid)]
    clock.step(10 * MINUTE)
    await ledger.claim(clock.now(), job)
    assert (await delays(ledger, job))[-3:] == [CATCH_UP_RATE, *[job_gate(job.uid)] * 2]


async def test_what_a_run_waited_for_last_stays_when_it_starts(ledger: Ledger, clock: FakeClock) -> None:
    job = await due(ledger, clock, KEY)
    limits = LimitService(ledger.database)
    await limits.put("reports", 0, None)
    await ledger.claim(clock.now(), job)
    run = queued(await ledger.run_of(job))
    assert (await ledger.starts.start(ME, [run])).begun == []
    assert await delays(ledger, job) == ["limit reports"]
    await limits.put("reports", 1, None)
    [started] = (await ledger.starts.start(ME, [run])).begun
    assert await delays(ledger, job) == ["limit reports"]
    await ledger.record(ended(started))
    assert await delays(ledger, job) == ["limit reports"]


async def test_what_a_later_attempt_waits_for_did_not_delay_the_first(ledger: Ledger, clock: FakeClock) -> None:
    job = await due(ledger, clock, KEY)
    await ledger.claim(clock.now(), job, slots=room_for(0))
    run = queued(await ledger.run_of(job))
    [started] = (await ledger.starts.start(ME, [run])).begun
    await ledger.record(ended(started, error="status: 500"))
    await LimitService(ledger.database).put("reports", 0, None)
    clock.step(MINUTE)
    assert (await ledger.starts.start(ME, [run])).begun == []
    row = await ledger.run_of(job)
    assert (row.waiting_for, row.delayed_by) == ("limit reports", None)
