from __future__ import annotations

from collections import Counter
from datetime import timedelta

from sqlalchemy import text

from app.db.partitions import ensure_partitions
from app.domain.clock import FakeClock
from app.domain.policies import Overlap, Policies
from tests.db.building import (
    JUST,
    ME,
    MINUTE,
    NOON,
    SECOND,
    Ledger,
    every_instant_is_accounted_for,
    minutes,
    roomy,
    scheduled,
)

DAY = timedelta(days=1)


async def test_three_days_of_a_per_second_job_are_259200_instants(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(schedule="* * * * * *", policies=Policies(overlap=Overlap.ALLOW))
    now = NOON + 3 * DAY
    clock.step(3 * DAY)
    claims = await ledger.claim(now, job)
    runs, [span] = await ledger.runs_of(job), await ledger.spans_of(job)
    assert len(runs) + (span.count or 0) == 259_200
    assert (span.after, span.version, span.reason) == (NOON + SECOND - JUST, 1, "no replica")
    assert scheduled(runs) == [now - SECOND * ago for ago in range(len(runs))][::-1]
    assert runs[0].scheduled_for == (span.until or now) + JUST
    assert Counter((run.trigger, run.state, run.reason) for run in runs) == {
        ("schedule", "missed", "no replica"): 99,
        ("catch_up", "pending", None): 1,
        ("schedule", "running", None): 61,
    }
    assert len(claims.started) == 61
    assert (await ledger.row_of(job)).next_run == now + SECOND


async def test_the_latest_misfire_runs_once_as_catch_up(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(schedule="*/5 * * * *")
    clock.step(18 * MINUTE)
    await ledger.claim(NOON + 18 * MINUTE, job)
    runs = await ledger.runs_of(job)
    assert [(run.scheduled_for, run.trigger, run.state) for run in runs] == [
        (NOON + 5 * MINUTE, "schedule", "missed"),
        (NOON + 10 * MINUTE, "schedule", "missed"),
        (NOON + 15 * MINUTE, "catch_up", "pending"),
    ]
    assert [run.reason for run in runs] == ["no replica", "no replica", None]
    [opened] = (await ledger.starts.opened(10, [])).runs
    assert [each.call.trigger for each in (await ledger.starts.start(ME, [opened])).begun] == ["catch_up"]
    assert await ledger.spans_of(job) == []
    assert (await ledger.row_of(job)).next_run == NOON + 20 * MINUTE


async def test_catch_up_runs_once_over_all_replicas(ledger: Ledger, rival: Ledger, clock: FakeClock) -> None:
    job = await ledger.create()
    now = NOON + 300 * MINUTE
    clock.step(300 * MINUTE)
    stale = await rival.candidate(job, now)
    await ledger.claim(now, job)
    assert [each for each, _ in (await rival.claims.claim(ME, [stale], roomy())).moved] == [stale]
    runs = await ledger.runs_of(job)
    assert [run.trigger for run in runs].count("catch_up") == 1
    await every_instant_is_accounted_for(ledger, job, minutes(NOON + MINUTE, 300))


async def test_days_that_have_no_partition_get_one(postgres: Ledger, clock: FakeClock) -> None:
    job = await postgres.create(schedule="0 */6 * * *")
    days = 40
    clock.step(days * DAY)
    await ensure_partitions(postgres.database)
    before = await _partitions(postgres)
    await postgres.claim(NOON + days * DAY, job)
    runs = await postgres.runs_of(job)
    assert len(runs) == 101
    assert await _partitions(postgres) - before == {f"job_runs_{run.ledger_at:%Y%m%d}" for run in runs}
    [span] = await postgres.spans_of(job)
    assert (span.count or 0) + len(runs) == days * 4


async def _partitions(ledger: Ledger) -> set[str]:
    query = text("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'job_runs'::regclass")
    async with ledger.database.read() as connection:
        return set(await connection.scalars(query))
