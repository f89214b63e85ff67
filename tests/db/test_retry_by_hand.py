"""A run that a person has repeated: a new run for the same instant."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from app.domain.clock import FakeClock
from app.domain.errors import Conflict, RunNotFound
from app.domain.job import PersistedJob
from app.domain.lifecycle import ENDED
from app.domain.policies import Policies
from app.domain.retry import Retry
from app.domain.run import State, Trigger
from tests.db.building import ME, MINUTE, NOON, Ledger, ended, queued

NO_SUCH_RUN = UUID("0193a1b2-c3d4-8e5f-9a0b-1c2d3e4f5a6b")
ONCE = Policies(retry=Retry(max_attempts=1))


async def failed(ledger: Ledger, clock: FakeClock, policies: Policies = ONCE) -> tuple[PersistedJob, UUID]:
    job = await ledger.create(policies=policies)
    clock.step(MINUTE)
    started = await ledger.running(clock.now(), job)
    await ledger.record(ended(started, error="status 500"))
    assert (await ledger.run_of(job)).state == "failed"
    return job, started.call.run_id


async def test_it_is_a_new_run_for_the_same_instant(ledger: Ledger, clock: FakeClock) -> None:
    job, old = await failed(ledger, clock)
    clock.step(30 * MINUTE)
    again = await ledger.runs.retry(old)
    assert (again.retry_of, again.trigger, again.state, again.attempt) == (old, Trigger.RETRY, State.PENDING, 0)
    assert again.id != old
    assert (again.scheduled_for, again.ledger_at, again.due_at) == (NOON + MINUTE, *[NOON + 31 * MINUTE] * 2)
    assert (await ledger.runs.get(old)).state is State.FAILED
    assert [(run.run_id, run.host) for run in ledger.heard.queued[-1:]] == [(again.id, "one.example:80")]
    [started] = (await ledger.starts.start(ME, [queued(again)])).begun
    assert (started.call.scheduled_for, started.call.trigger) == (NOON + MINUTE, Trigger.RETRY)
    await ledger.record(ended(started))
    assert [run.state for run in await ledger.runs_of(job)] == ["failed", "succeeded"]


async def test_it_calls_the_job_as_it_is_now(ledger: Ledger, clock: FakeClock) -> None:
    _, old = await failed(ledger, clock)
    await ledger.patch("job", endpoint="http://two.example/new", enabled=False)
    again = await ledger.runs.retry(old)
    assert again.job_version == 2
    [started] = (await ledger.starts.start(ME, [queued(again, "two.example:80")])).begun
    assert started.call.endpoint == "http://two.example/new"


@pytest.mark.parametrize("state", sorted(ENDED))
async def test_whatever_has_ended_may_be_repeated_and_more_than_once(
    ledger: Ledger, clock: FakeClock, state: State
) -> None:
    _, old = await failed(ledger, clock)
    await ledger.execute("UPDATE job_runs SET state = :state", state=state)
    first, second = await ledger.runs.retry(old), await ledger.runs.retry(old)
    assert (first.retry_of, second.retry_of, first.id != second.id) == (old, old, True)


@pytest.mark.parametrize("state", sorted(set(State) - ENDED))
async def test_a_run_that_goes_on_is_not_repeated(ledger: Ledger, clock: FakeClock, state: State) -> None:
    job, old = await failed(ledger, clock)
    await ledger.execute("UPDATE job_runs SET state = :state", state=state)
    with pytest.raises(Conflict, match=f"is {state}"):
        await ledger.runs.retry(old)
    assert len(await ledger.runs_of(job)) == 1


async def test_a_run_of_a_deleted_job_is_not_repeated(ledger: Ledger, clock: FakeClock) -> None:
    job, old = await failed(ledger, clock)
    await ledger.jobs.delete("job")
    await ledger.create()  # another one of that name
    with pytest.raises(Conflict, match="deleted"):
        await ledger.runs.retry(old)
    assert len(await ledger.runs_of(job)) == 1


async def test_an_unknown_run_is_not_found(ledger: Ledger) -> None:
    with pytest.raises(RunNotFound):
        await ledger.runs.retry(NO_SUCH_RUN)


async def test_the_deadline_counts_from_when_a_person_asked(ledger: Ledger, clock: FakeClock) -> None:
    _, old = await failed(ledger, clock, replace(ONCE, deadline_seconds=90.0))
    clock.step(30 * MINUTE)
    deadline = NOON + 31 * MINUTE + timedelta(seconds=90)
    assert (await ledger.runs.retry(old)).deadline_at == deadline
    assert (await ledger.runs.trigger("job")).deadline_at == deadline
