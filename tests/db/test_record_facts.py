"""What recorded calls make of their job: last_run, last_success and last_error only move forward."""

from __future__ import annotations

from datetime import timedelta

import pytest

from app.domain.claim import Started
from app.domain.clock import FakeClock
from app.domain.job import PersistedJob
from app.domain.policies import Overlap, Policies
from tests.db.building import ME, MINUTE, NOON, SECOND, Ledger, cut_off, ended, queued

FIRST, SECOND_MINUTE = NOON + MINUTE, NOON + 2 * MINUTE


@pytest.fixture
async def job(ledger: Ledger) -> PersistedJob:
    return await ledger.create(policies=Policies(overlap=Overlap.ALLOW))


@pytest.fixture
async def runs(ledger: Ledger, clock: FakeClock, job: PersistedJob) -> list[Started]:
    """Three runs of one job, each a minute after the other."""
    started = []
    for _ in range(3):
        clock.step(MINUTE)
        started.append(await ledger.running(clock.now(), job))
    return started


async def _facts(ledger: Ledger, job: PersistedJob) -> tuple[object, object, object]:
    row = await ledger.row_of(job)
    return row.last_run, row.last_success, row.last_error


async def test_a_success_writes_its_start_and_its_end(ledger: Ledger, job: PersistedJob, runs: list[Started]) -> None:
    await ledger.record(ended(runs[0], began=FIRST + SECOND, took=2 * SECOND))
    assert await _facts(ledger, job) == (FIRST + SECOND, FIRST + 3 * SECOND, None)


async def test_a_failure_writes_its_start_and_its_error(ledger: Ledger, job: PersistedJob, runs: list[Started]) -> None:
    await ledger.record(ended(runs[0]))
    await ledger.record(ended(runs[1], error="status: 500"))
    assert await _facts(ledger, job) == (SECOND_MINUTE, FIRST + SECOND, "status: 500")


async def test_a_success_ends_the_error(ledger: Ledger, job: PersistedJob, runs: list[Started]) -> None:
    await ledger.record(ended(runs[0], error="status: 500"))
    await ledger.record(ended(runs[1]))
    assert await _facts(ledger, job) == (SECOND_MINUTE, SECOND_MINUTE + SECOND, None)


async def test_a_slow_older_failure_does_not_overwrite_a_newer_success(
    ledger: Ledger, job: PersistedJob, runs: list[Started]
) -> None:
    await ledger.record(ended(runs[1]))
    await ledger.record(ended(runs[0], error="timeout: 100 s", took=timedelta(seconds=100)))
    assert await _facts(ledger, job) == (SECOND_MINUTE, SECOND_MINUTE + SECOND, None)


async def test_a_slow_older_success_does_not_end_a_newer_error(
    ledger: Ledger, job: PersistedJob, runs: list[Started]
) -> None:
    await ledger.record(ended(runs[1], error="status: 500"))
    slow = ended(runs[0], took=timedelta(seconds=100))
    await ledger.record(slow)
    assert await _facts(ledger, job) == (SECOND_MINUTE, slow.ended_at, "status: 500")


async def test_last_success_is_the_latest_end(ledger: Ledger, job: PersistedJob, runs: list[Started]) -> None:
    slow = ended(runs[0], took=timedelta(seconds=100))
    await ledger.record(slow)
    await ledger.record(ended(runs[1]))
    assert await _facts(ledger, job) == (SECOND_MINUTE, slow.ended_at, None)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
async def test_a_batch_with_several_runs_of_a_job_ends_as_if_they_came_in_order(
    ledger: Ledger, job: PersistedJob, runs: list[Started], order: tuple[int, ...]
) -> None:
    finished = [ended(runs[0], error="first"), ended(runs[1]), ended(runs[2], error="third")]
    assert len(await ledger.record(*[finished[index] for index in order])) == 3
    assert await _facts(ledger, job) == (NOON + 3 * MINUTE, SECOND_MINUTE + SECOND, "third")


async def test_a_batch_touches_no_other_jobs_facts(ledger: Ledger, clock: FakeClock) -> None:
    jobs = [await ledger.create(name) for name in ("a", "b", "c")]
    clock.step(MINUTE)
    started = (await ledger.claim(FIRST, *jobs)).started
    await ledger.record(ended(started[0]), ended(started[1], error="status: 500"))
    assert [await _facts(ledger, job) for job in jobs] == [
        (FIRST, FIRST + SECOND, None),
        (FIRST, None, "status: 500"),
        (None, None, None),
    ]


async def test_the_attempt_that_ended_is_the_last_run(
    ledger: Ledger, clock: FakeClock, job: PersistedJob, runs: list[Started]
) -> None:
    await ledger.record(cut_off(runs[2]))
    assert await _facts(ledger, job) == (None, None, None)
    clock.step(MINUTE)
    pending = (await ledger.runs_of(job))[2]
    [again] = (await ledger.starts.start(ME, [queued(pending)])).begun
    await ledger.record(ended(again))
    assert await _facts(ledger, job) == (NOON + 4 * MINUTE, NOON + 4 * MINUTE + SECOND, None)
