"""Attempts: a row for each call of a run, whoever learns how it ended."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from app.db.attempts import AttemptRepository
from app.domain.attempt import Attempt, Ending, Timing
from app.domain.claim import Finished, Started
from app.domain.clock import FakeClock
from app.domain.errors import RunNotFound
from app.domain.job import PersistedJob
from app.domain.policies import Policies
from app.domain.retry import Retry
from app.domain.run import Outcome
from tests.db.accepting import accept, begun, say, waiting
from tests.db.building import ME, MINUTE, NOON, OTHER, SECOND, Ledger, cut_off, ended, queued, room_for

DUE = NOON + MINUTE
LEASE = timedelta(seconds=30)
RETRIED = Policies(retry=Retry(jitter=False))


@pytest.fixture
async def job(ledger: Ledger, clock: FakeClock) -> PersistedJob:
    """Due just now; both replicas are there."""
    job = await ledger.create(policies=RETRIED)
    clock.step(MINUTE)
    await ledger.replicas.join(ME, "here")
    await ledger.replicas.join(OTHER, "here")
    return job


async def attempts(ledger: Ledger, started: Started) -> list[Attempt]:
    return await ledger.runs.attempts(started.call.run_id, None, 100)


async def started_again(ledger: Ledger, job: PersistedJob, replica: UUID = ME) -> Started:
    [started] = (await ledger.starts.start(replica, [queued(await ledger.run_of(job))])).begun
    return started


async def test_a_call_under_way_is_told(ledger: Ledger, job: PersistedJob) -> None:
    started = await ledger.running(DUE, job)
    [attempt] = await attempts(ledger, started)
    assert attempt == Attempt(
        fence=1, attempt=1, replica=ME, outcome=Ending.RUNNING, due_at=DUE, began_at=started.started_at
    )


async def test_an_attempt_is_told_with_its_times(ledger: Ledger, job: PersistedJob) -> None:
    started = await ledger.running(DUE, job)
    timing = Timing(dns=0.5, connect=0.25, first_byte=1.125)
    outcome = Outcome(error="status 503", status_code=503, response_excerpt="ünlaut \U0001f980", timing=timing)
    await ledger.record(Finished(started, outcome, DUE + SECOND, DUE + 3 * SECOND))
    assert await attempts(ledger, started) == [
        Attempt(
            fence=1,
            attempt=1,
            replica=ME,
            outcome=Ending.FAILED,
            due_at=DUE,
            began_at=DUE + SECOND,
            ended_at=DUE + 3 * SECOND,
            timing=timing,
            status_code=503,
            error="status 503",
            response_excerpt="ünlaut \U0001f980",
        )
    ]


async def test_each_attempt_of_a_run_has_a_row_and_waits_from_its_own_time_on(
    ledger: Ledger, job: PersistedJob, clock: FakeClock
) -> None:
    first = await ledger.running(DUE, job)
    await ledger.record(ended(first, error="status 503"))
    again_at = (await ledger.run_of(job)).due_at
    clock.step(again_at + SECOND - clock.now())
    second = await started_again(ledger, job, OTHER)
    await ledger.record(ended(second, excerpt="ok"), replica=OTHER)
    one, two = await attempts(ledger, first)
    assert (one.attempt, one.outcome, one.replica, one.due_at) == (1, Ending.FAILED, ME, DUE)
    assert (two.attempt, two.outcome, two.replica, two.due_at) == (2, Ending.SUCCEEDED, OTHER, again_at)
    assert two.began_at == again_at + SECOND
    assert two.response_excerpt is None


async def test_a_run_that_waited_for_a_place_was_due_all_the_while(
    ledger: Ledger, job: PersistedJob, clock: FakeClock
) -> None:
    await ledger.claim(DUE, job, slots=room_for(0))
    clock.step(7 * SECOND)
    started = await started_again(ledger, job)
    await ledger.record(ended(started))
    [attempt] = await attempts(ledger, started)
    assert (attempt.due_at, attempt.began_at) == (DUE, DUE + 7 * SECOND)


async def test_a_call_that_was_cut_off_says_why(ledger: Ledger, job: PersistedJob) -> None:
    started = await ledger.running(DUE, job)
    await ledger.record(cut_off(started))
    [attempt] = await attempts(ledger, started)
    assert (attempt.outcome, attempt.error, attempt.status_code) == (Ending.CUT, "cut off", None)


async def test_a_call_that_never_left_is_no_attempt(ledger: Ledger, job: PersistedJob) -> None:
    started = await ledger.running(DUE, job)
    await ledger.replicas.hand_back(ME, {started.call.run_id: started.fence})
    assert await attempts(ledger, started) == []
    again = await started_again(ledger, job)
    await ledger.record(ended(again))
    [attempt] = await attempts(ledger, started)
    assert (attempt.attempt, attempt.fence) == (1, 2)


async def test_a_result_that_is_discarded_is_an_attempt_all_the_same(
    ledger: Ledger, job: PersistedJob, clock: FakeClock
) -> None:
    frozen = await ledger.running(DUE, job)
    await taken_over(ledger, clock)
    [lost] = await attempts(ledger, frozen)
    assert (lost.attempt, lost.outcome, lost.replica, lost.error) == (1, Ending.LOST, ME, "replica died")
    assert (lost.began_at, lost.ended_at, lost.discarded) == (frozen.started_at, clock.now(), False)
    again = await started_again(ledger, job, OTHER)
    assert await ledger.record(ended(frozen)) == set()
    await ledger.record(ended(again), replica=OTHER)
    one, two = await attempts(ledger, frozen)
    assert (one.attempt, one.outcome, one.discarded, one.error) == (1, Ending.SUCCEEDED, True, None)
    assert one.ended_at == frozen.started_at + SECOND
    assert (two.attempt, two.outcome, two.discarded) == (2, Ending.SUCCEEDED, False)


async def test_a_result_that_is_sent_twice_stays_as_it_was(ledger: Ledger, job: PersistedJob) -> None:
    started = await ledger.running(DUE, job)
    await ledger.record(ended(started))
    told = await attempts(ledger, started)
    await ledger.record(ended(started, error="status 500"))
    assert await attempts(ledger, started) == told
    assert not told[0].discarded


async def test_results_are_recorded_where_a_day_of_attempts_is_missing(postgres: Ledger, clock: FakeClock) -> None:
    job = await postgres.create()
    clock.step(MINUTE)
    started = await postgres.running(DUE, job)
    await postgres.execute(f"DROP TABLE job_attempts_{DUE:%Y%m%d}")
    assert await postgres.record(ended(started)) == {started.call.run_id}
    assert [each.outcome for each in await attempts(postgres, started)] == [Ending.SUCCEEDED]


async def test_an_attempt_that_was_accepted_stays_so_when_its_callback_comes(ledger: Ledger, clock: FakeClock) -> None:
    _, started = await waiting(ledger, clock)
    await say(ledger, started, "failed", "too much")
    [attempt] = await attempts(ledger, started)
    assert (attempt.outcome, attempt.status_code, attempt.response_excerpt) == (Ending.ACCEPTED, 202, "queued")


async def test_the_call_of_a_run_that_its_callback_ended_is_lost_with_its_replica(
    ledger: Ledger, clock: FakeClock
) -> None:
    await ledger.replicas.join(ME, "here")
    await ledger.replicas.join(OTHER, "here")
    job, started = await begun(ledger, clock)
    await say(ledger, started, "succeeded")
    await taken_over(ledger, clock)
    assert (await ledger.run_of(job)).state == "succeeded"
    [lost] = await attempts(ledger, started)
    assert (lost.outcome, lost.replica) == (Ending.LOST, ME)
    await accept(ledger, started)
    [told] = await attempts(ledger, started)
    assert (told.outcome, told.discarded) == (Ending.ACCEPTED, True)


async def test_attempts_come_in_pages(ledger: Ledger, job: PersistedJob) -> None:
    started = await ledger.running(DUE, job)
    for _ in range(2):
        await ledger.record(cut_off(started))
        started = await started_again(ledger, job)
    page = await ledger.runs.attempts(started.call.run_id, None, 2)
    assert [each.outcome for each in page] == [Ending.CUT, Ending.CUT]
    rest = await ledger.runs.attempts(started.call.run_id, page[-1].fence, 2)
    assert [(each.attempt, each.outcome, each.began_at) for each in rest] == [(3, Ending.RUNNING, None)]


async def test_a_call_that_ends_while_they_are_read_is_told_once(
    contended: Ledger, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = await contended.create()
    clock.step(MINUTE)
    started = await contended.running(DUE, job)
    read = AttemptRepository.page

    async def recorded_before(repository: AttemptRepository, run_id: UUID, after: int | None, limit: int) -> Any:
        await contended.record(ended(started))
        return await read(repository, run_id, after, limit)

    monkeypatch.setattr(AttemptRepository, "page", recorded_before)
    assert [each.outcome for each in await attempts(contended, started)] == [Ending.SUCCEEDED]


async def test_a_run_that_is_not_there_has_none(ledger: Ledger, job: PersistedJob) -> None:
    started = await ledger.running(DUE, job)
    missing = replace(started, call=replace(started.call, run_id=UUID(int=started.call.run_id.int + 1)))
    with pytest.raises(RunNotFound):
        await attempts(ledger, missing)


async def taken_over(ledger: Ledger, clock: FakeClock) -> None:
    """ME is dead, and what it called goes to OTHER."""
    clock.step(LEASE + SECOND)
    await ledger.replicas.beat(OTHER)
    await ledger.replicas.bury(LEASE)
