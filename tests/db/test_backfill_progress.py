"""How far a backfill is, and what its runs count for."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from app.db import migrate
from app.db.runs import RunFilter
from app.db.tables import job_runs
from app.domain.backfill import Backfill, BackfillRequest, BackfillState, Progress
from app.domain.clock import FakeClock
from app.domain.errors import BackfillNotFound
from app.domain.policies import Policies
from app.domain.retry import Retry
from app.domain.run import State
from tests.db.building import ME, MINUTE, NOON, SECOND, Ledger, ended, opened, queued, states

HOUR = timedelta(hours=1)


def over(since: datetime, until: datetime, **more: Any) -> BackfillRequest:
    return BackfillRequest(since=since, until=until, **more)


async def test_backfills_are_read_and_listed_newest_first(ledger: Ledger, clock: FakeClock) -> None:
    await ledger.create()
    await ledger.create("other")
    all_made: list[Backfill] = []
    for name in ("job", "other", "job"):
        clock.step(SECOND)
        all_made.append((await ledger.backfills.create(name, over(NOON - 2 * MINUTE, NOON, only_missing=False)))[0])
    first, other, second = all_made
    assert await ledger.backfills.get(first.id) == (first, Progress({State.PENDING: 2}))
    assert [each for each, _ in await ledger.backfills.page(None, None, 10)] == [second, other, first]
    assert [each for each, _ in await ledger.backfills.page(None, second.id, 1)] == [other]
    await ledger.jobs.delete("job")
    found = await ledger.backfills.page("job", None, 10)
    assert [(each.id, progress.counts) for each, progress in found] == [
        (second.id, {State.CANCELED: 2}),
        (first.id, {State.CANCELED: 2}),
    ]
    with pytest.raises(BackfillNotFound):
        await ledger.backfills.get(UUID(int=0))


async def test_its_runs_are_found_by_it(ledger: Ledger) -> None:
    await ledger.create()
    first, _ = await ledger.backfills.create("job", over(NOON - 2 * MINUTE, NOON))
    await ledger.runs.trigger("job")
    found = await ledger.runs.page(RunFilter(backfill_id=first.id), None, 10)
    assert sorted(run.scheduled_for for run in found) == [NOON - MINUTE, NOON]
    assert {run.backfill_id for run in found} == {first.id}


async def test_progress_counts_by_state_and_ends_with_the_last_run(ledger: Ledger, clock: FakeClock) -> None:
    await ledger.create(policies=Policies(retry=Retry(max_attempts=1)))
    clock.step(SECOND)
    backfill, _ = await ledger.backfills.create("job", over(NOON - 3 * MINUTE, NOON, concurrency=3))
    started = (await ledger.starts.start(ME, ledger.heard.queued)).begun
    await ledger.record(ended(started[0]), ended(started[1], error="status: 500"))
    _, progress = await ledger.backfills.get(backfill.id)
    assert progress.counts == {State.SUCCEEDED: 1, State.FAILED: 1, State.RUNNING: 1}
    assert (progress.state(backfill), progress.finished_at(backfill)) == (BackfillState.RUNNING, None)
    await ledger.record(ended(started[2], took=5 * SECOND))
    _, progress = await ledger.backfills.get(backfill.id)
    assert progress.state(backfill) is BackfillState.DONE
    assert progress.finished_at(backfill) == clock.now() + 5 * SECOND


async def test_backfilled_runs_count_for_nothing_but_success(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(policies=Policies(max_runs=3, retry=Retry(max_attempts=1), pause_after_failures=1))
    clock.step(SECOND)
    await ledger.backfills.create("job", over(NOON - 3 * MINUTE, NOON, concurrency=3))
    started = (await ledger.starts.start(ME, ledger.heard.queued)).begun
    await ledger.record(*(ended(each, error="status: 500") for each in started))
    kept = await ledger.jobs.get("job")
    assert (kept.runs_made, kept.failures_in_a_row, kept.version) == (0, 0, job.version)


async def test_the_release_before_calls_none_that_waits_and_goes_on_with_what_has_begun(
    empty_database_url: str, clock: FakeClock
) -> None:
    await asyncio.to_thread(migrate.upgrade, empty_database_url)
    async with opened(empty_database_url, clock) as ledger:
        job = await ledger.create()
        await ledger.backfills.create("job", over(NOON - 3 * MINUTE, NOON))
        [begun] = (await ledger.starts.start(ME, ledger.heard.queued)).begun
        await ledger.close()
        await asyncio.to_thread(migrate.downgrade, ledger.url, "20261124_histories")
        run = job_runs.c
        query = select(run.trigger, run.state, run.waiting_for, run.attempt).order_by(run.attempt)
        async with ledger.database.read() as connection:
            found = [tuple(row) for row in await connection.execute(query)]
        assert found == [("manual", "canceled", None, 0)] * 2 + [("manual", "running", None, 1)]
        await ledger.close()
        await asyncio.to_thread(migrate.upgrade, ledger.url)
        await ledger.record(ended(begun))
        assert sorted(states(await ledger.runs_of(job))) == ["canceled", "canceled", "succeeded"]


async def test_the_deadline_of_a_run_counts_from_its_first_call(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(policies=Policies(deadline_seconds=90))
    await ledger.backfills.create("job", over(NOON - MINUTE, NOON))
    clock.step(HOUR)
    await ledger.starts.expire()
    run = await ledger.run_of(job)
    [started] = (await ledger.starts.start(ME, [queued(run)])).begun
    assert started.deadline_at == clock.now() + 90 * SECOND
    assert (await ledger.run_of(job)).deadline_at == started.deadline_at
    await ledger.record(replace(ended(started, error="status: 500"), ended_at=clock.now() + SECOND))
    clock.step(45 * SECOND)
    [again] = (await ledger.starts.start(ME, [queued(run)])).begun
    assert again.deadline_at == started.deadline_at
