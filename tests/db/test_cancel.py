"""Canceling a run by hand: one that waits ends at once, one that is called when its replica has cut the call."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import update

from app.db.tables import job_runs
from app.domain.claim import Started
from app.domain.clock import FakeClock
from app.domain.errors import Conflict, RunNotFound
from app.domain.job import PersistedJob
from app.domain.lifecycle import ENDED
from app.domain.run import Run, State, Trigger
from tests.db.building import ME, MINUTE, NOON, OTHER, SECOND, Ledger, cut_off, ended, queued, room_for
from tests.db.locks import gate

NO_SUCH_RUN = UUID("0193a1b2-c3d4-8e5f-9a0b-1c2d3e4f5a6b")


async def called(ledger: Ledger, clock: FakeClock, **more: Any) -> tuple[PersistedJob, Started]:
    """A job whose one run is being called by ME."""
    job = await ledger.create(**more)
    clock.step(MINUTE)
    return job, await ledger.running(clock.now(), job)


async def waiting(ledger: Ledger) -> Run:
    await ledger.create()
    return await ledger.runs.trigger("job")


async def test_a_pending_run_ends_at_once(ledger: Ledger, clock: FakeClock) -> None:
    run = await waiting(ledger)
    clock.step(SECOND)
    canceled = await ledger.runs.cancel(run.id)
    assert (canceled.state, canceled.reason) == (State.CANCELED, "canceled by hand")
    assert (canceled.finished_at, canceled.started_at, canceled.cancel_reason) == (NOON + SECOND, None, None)
    assert (await ledger.starts.start(ME, [queued(run)])).begun == []


@pytest.mark.parametrize("state", sorted(set(State) - ENDED - {State.RUNNING}))
async def test_whatever_is_not_being_called_ends_at_once(ledger: Ledger, state: State) -> None:
    run = await waiting(ledger)
    await ledger.execute("UPDATE job_runs SET state = :state", state=state)
    assert (await ledger.runs.cancel(run.id)).state is State.CANCELED


async def test_the_note_becomes_part_of_the_reason(ledger: Ledger) -> None:
    run = await waiting(ledger)
    assert (await ledger.runs.cancel(run.id, "no longer needed")).reason == "canceled by hand: no longer needed"


async def test_a_run_that_is_held_up_waits_for_nothing_any_more(ledger: Ledger) -> None:
    run = await waiting(ledger)
    await ledger.execute("UPDATE job_runs SET waiting_for = 'limit key'")
    canceled = await ledger.runs.cancel(run.id)
    assert (canceled.state, canceled.waiting_for) == (State.CANCELED, None)


async def test_a_deleted_job_leaves_no_run_that_waits_for_something(ledger: Ledger) -> None:
    run = await waiting(ledger)
    await ledger.execute("UPDATE job_runs SET waiting_for = 'limit key'")
    await ledger.jobs.delete("job")
    deleted = await ledger.runs.get(run.id)
    assert (deleted.state, deleted.reason, deleted.waiting_for) == (State.CANCELED, "deleted", None)


async def test_a_run_between_two_attempts_ends_at_once(ledger: Ledger, clock: FakeClock) -> None:
    _, started = await called(ledger, clock)
    await ledger.record(cut_off(started))
    canceled = await ledger.runs.cancel(started.call.run_id)
    assert (canceled.state, canceled.attempt, canceled.started_at) == (State.CANCELED, 1, started.started_at)


async def test_a_call_goes_on_until_its_own_replica_has_cut_it(ledger: Ledger, rival: Ledger, clock: FakeClock) -> None:
    job, started = await called(ledger, clock)
    assert await ledger.cancels.asked(ME) == set()
    asked = await rival.runs.cancel(started.call.run_id, "stop")
    assert (asked.state, asked.reason, asked.finished_at) == (State.RUNNING, None, None)
    assert asked.cancel_reason == "canceled by hand: stop"
    assert await ledger.cancels.asked(ME) == {started.held}
    assert await ledger.cancels.asked(OTHER) == set()
    await ledger.record(cut_off(started))
    run = await ledger.run_of(job)
    assert (run.state, run.reason, run.finished_at) == ("canceled", "canceled by hand: stop", NOON + MINUTE + SECOND)
    assert await ledger.cancels.asked(ME) == set()


async def test_the_scheduler_of_the_process_is_told(ledger: Ledger, clock: FakeClock) -> None:
    _, started = await called(ledger, clock)
    await ledger.runs.cancel(started.call.run_id)
    assert ledger.heard.cancels == 1


async def test_a_run_that_ended_without_a_call_is_told_to_who_counts_them(ledger: Ledger) -> None:
    runs = [await waiting(ledger), await ledger.runs.trigger("job")]
    await ledger.runs.cancel(runs[0].id)
    assert (ledger.heard.ended, ledger.heard.cancels) == ([(State.CANCELED, Trigger.MANUAL)], 0)
    await ledger.jobs.delete("job")
    assert ledger.heard.ended == [(State.CANCELED, Trigger.MANUAL)] * 2


async def test_the_first_reason_stays(ledger: Ledger, clock: FakeClock) -> None:
    _, started = await called(ledger, clock)
    await ledger.runs.cancel(started.call.run_id, "one")
    again = await ledger.runs.cancel(started.call.run_id, "other")
    assert again.cancel_reason == "canceled by hand: one"


async def test_what_failed_before_it_was_cut_is_canceled_and_not_repeated(ledger: Ledger, clock: FakeClock) -> None:
    job, started = await called(ledger, clock)
    await ledger.runs.cancel(started.call.run_id)
    await ledger.record(ended(started, error="connect: refused"))
    run = await ledger.run_of(job)
    assert (run.state, run.reason, run.error) == ("canceled", "canceled by hand", "connect: refused")


async def test_what_succeeded_before_it_was_cut_succeeded(ledger: Ledger, clock: FakeClock) -> None:
    job, started = await called(ledger, clock)
    await ledger.runs.cancel(started.call.run_id)
    await ledger.record(ended(started))
    run = await ledger.run_of(job)
    assert (run.state, run.reason, run.cancel_reason) == ("succeeded", None, "canceled by hand")


async def test_the_call_of_a_deleted_job_can_be_canceled(ledger: Ledger, clock: FakeClock) -> None:
    job, started = await called(ledger, clock)
    await ledger.jobs.delete("job")
    await ledger.runs.cancel(started.call.run_id)
    assert await ledger.cancels.asked(ME) == {started.held}
    await ledger.record(cut_off(started))
    assert (await ledger.run_of(job)).reason == "canceled by hand"


@pytest.mark.parametrize("state", sorted(ENDED))
async def test_what_has_ended_stays_as_it_is(ledger: Ledger, state: State) -> None:
    run = await waiting(ledger)
    await ledger.execute("UPDATE job_runs SET state = :state", state=state)
    with pytest.raises(Conflict, match=f"has ended: it is {state}"):
        await ledger.runs.cancel(run.id)
    kept = await ledger.runs.get(run.id)
    assert (kept.state, kept.reason, kept.cancel_reason) == (state, None, None)


async def test_an_unknown_run_is_not_found(ledger: Ledger) -> None:
    with pytest.raises(RunNotFound):
        await ledger.runs.cancel(NO_SUCH_RUN)


async def test_a_run_that_is_started_meanwhile_is_judged_as_it_is_when_it_is_locked(
    contended: Ledger, rival: Ledger
) -> None:
    run = await waiting(contended)
    async with gate(contended.url, "SELECT FROM cron_jobs FOR UPDATE") as held:
        canceling = asyncio.create_task(rival.runs.cancel(run.id))
        await held.until_waiting(1)
        async with contended.database.begin() as starting:
            await starting.execute(update(job_runs).values(state="running", attempt=1, fence=1, owner=ME))
        await held.open()
        asked = await canceling
    assert (asked.state, asked.cancel_reason) == (State.RUNNING, "canceled by hand")


async def test_cancels_and_a_delete_at_once_wait_for_each_other_in_one_order(contended: Ledger, rival: Ledger) -> None:
    await contended.create()
    runs = [await contended.runs.trigger("job") for _ in range(8)]
    canceling = [(contended, rival)[n % 2].runs.cancel(run.id) for n, run in enumerate(runs)]
    told = await asyncio.gather(*canceling, rival.jobs.delete("job"), return_exceptions=True)
    assert {type(each) for each in told} <= {Run, Conflict, type(None)}
    assert {row.state for row in await contended.table(job_runs)} == {"canceled"}


async def test_a_canceled_run_holds_no_place_of_its_job(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(schedule="* * * * * *")
    clock.step(SECOND)
    await ledger.claim(clock.now(), job, slots=room_for(0))
    [first] = await ledger.runs_of(job)
    await ledger.runs.cancel(first.id)
    clock.step(SECOND)
    [started] = (await ledger.claim(clock.now(), job)).started
    assert started.call.scheduled_for == NOON + 2 * SECOND
