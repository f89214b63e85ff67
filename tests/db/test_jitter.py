"""When a run is due and by when it must have ended stand in its row from the start."""

from __future__ import annotations

from datetime import timedelta

from app.domain.clock import FakeClock
from app.domain.policies import Misfire, MisfirePolicy, Policies
from app.domain.run import State
from app.domain.timing import jitter
from tests.db.building import ME, MINUTE, NOON, SECOND, Ledger, queued

HOUR = timedelta(hours=1)
TEN = timedelta(seconds=10)


async def test_a_delay_is_recorded_and_its_run_starts_not_before(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(policies=Policies(jitter_seconds=3600))
    clock.step(MINUTE)
    claims = await ledger.claim(clock.now(), job)
    run = await ledger.run_of(job)
    delay = jitter(job.uid, NOON + MINUTE, HOUR)
    assert SECOND < delay < HOUR
    assert (run.scheduled_for, run.ledger_at, run.due_at) == (NOON + MINUTE, NOON + MINUTE, NOON + MINUTE + delay)
    assert (run.state, claims.started) == (State.PENDING, [])
    assert (await ledger.row_of(job)).next_run == NOON + 2 * MINUTE
    clock.step(delay - SECOND)
    assert (await ledger.starts.start(ME, [queued(run)])).begun == []
    clock.step(SECOND)
    [started] = (await ledger.starts.start(ME, [queued(run)])).begun
    assert started.call.scheduled_for == NOON + MINUTE


async def test_a_change_leaves_the_delay_that_a_claim_would(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(policies=Policies(jitter_seconds=3600))
    clock.step(MINUTE)
    await ledger.patch("job", description="new")
    due = NOON + MINUTE + jitter(job.uid, NOON + MINUTE, HOUR)
    assert (await ledger.run_of(job)).due_at == due
    assert [each.due_at for each in ledger.heard.queued] == [due]


async def test_what_is_caught_up_or_missed_is_not_delayed(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(policies=Policies(jitter_seconds=3600))
    clock.step(3.5 * MINUTE)
    await ledger.claim(clock.now(), job)
    *late, fresh = await ledger.runs_of(job)
    assert [run.due_at for run in late] == [run.scheduled_for for run in late]
    assert fresh.due_at > fresh.scheduled_for


async def test_a_deadline_counts_from_when_a_run_is_due(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(policies=Policies(jitter_seconds=3600, deadline_seconds=10))
    clock.step(MINUTE + SECOND)
    await ledger.claim(clock.now(), job)
    run = await ledger.run_of(job)
    assert run.deadline_at == run.due_at + TEN


async def test_a_deadline_of_what_is_caught_up_counts_from_then(ledger: Ledger, clock: FakeClock) -> None:
    policies = Policies(deadline_seconds=10, misfire=Misfire(policy=MisfirePolicy.EARLIEST))
    for name, change in (("claimed", None), ("settled", {"description": "new"})):
        job = await ledger.create(name, policies=policies)
        at = clock.now()
        clock.step(3.5 * MINUTE)
        if change:
            await ledger.patch(name, **change)
        else:
            await ledger.claim(clock.now(), job)
        caught_up, missed, fresh = await ledger.runs_of(job)
        assert caught_up.deadline_at == at + 3.5 * MINUTE + TEN
        assert (missed.state, missed.deadline_at) == (State.MISSED, None)
        assert fresh.deadline_at == fresh.scheduled_for + TEN
        clock.step(0.5 * MINUTE)


async def test_without_a_deadline_there_is_none(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create()
    clock.step(MINUTE)
    await ledger.claim(clock.now(), job)
    run = await ledger.run_of(job)
    assert (run.deadline_at, run.due_at) == (None, run.scheduled_for)
