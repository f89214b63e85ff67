"""Canceling a backfill: by hand, and with its job."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from uuid import UUID

import pytest

from app.domain.backfill import BackfillRequest, BackfillState
from app.domain.clock import FakeClock
from app.domain.errors import BackfillNotFound, Conflict
from app.domain.policies import AsyncCompletion, Policies
from app.domain.run import Outcome, State, Trigger
from tests.db.backfilling import PAST, backfill, every_run, ready, start
from tests.db.building import ME, MINUTE, NOON, SECOND, Ledger, cut_off, ended


async def test_a_backfill_that_is_canceled_ends_what_waits_and_has_the_calls_cut(
    ledger: Ledger, rival: Ledger, clock: FakeClock
) -> None:
    job = await ledger.create()
    made = await backfill(ledger, 4)
    [called] = await start(ledger)
    clock.step(SECOND)
    canceled, progress = await rival.backfills.cancel(made.id, "wrong day")
    assert canceled.canceled_at == clock.now()
    assert (progress.state(canceled), progress.finished_at(canceled)) == (BackfillState.CANCELED, None)
    assert progress.counts == {State.RUNNING: 1, State.CANCELED: 3}
    assert (rival.heard.ended, rival.heard.cancels) == ([(State.CANCELED, Trigger.BACKFILL)] * 3, 1)
    assert await ledger.cancels.asked(ME) == {called.held}
    await ledger.record(cut_off(called))
    rows = await ledger.runs_of(job)
    assert {(row.state, row.reason, row.waiting_for) for row in rows} == {
        ("canceled", "backfill canceled: wrong day", None)
    }
    again, progress = await ledger.backfills.cancel(made.id)
    assert (again, progress.finished_at(again)) == (canceled, NOON + SECOND)
    assert await ready(ledger) == []


async def test_canceling_ends_what_is_between_attempts_or_waits_for_its_callback(ledger: Ledger) -> None:
    await ledger.create(policies=Policies(async_completion=AsyncCompletion(timeout_seconds=60)))
    made = await backfill(ledger, 3, 2)
    one, other = await start(ledger)
    accepted = Outcome(error=None, status_code=202, accepted=True)
    await ledger.record(replace(ended(one), outcome=accepted), ended(other, error="connect: refused"))
    _, progress = await ledger.backfills.get(made.id)
    assert progress.counts == {State.WAITING: 1, State.PENDING: 2}
    assert (await ledger.backfills.cancel(made.id))[1].counts == {State.CANCELED: 3}
    assert ledger.heard.cancels == 0


async def test_only_its_own_runs_are_canceled(ledger: Ledger) -> None:
    await ledger.create()
    made = await backfill(ledger, 2)
    other, _ = await ledger.backfills.create(
        "job", BackfillRequest(since=PAST, until=PAST + MINUTE, only_missing=False)
    )
    by_hand = await ledger.runs.trigger("job")
    await ledger.backfills.cancel(made.id)
    assert (await ledger.backfills.get(other.id))[1].counts == {State.PENDING: 1}
    assert (await ledger.runs.get(by_hand.id)).state is State.PENDING


async def test_what_is_done_can_not_be_canceled(ledger: Ledger) -> None:
    await ledger.create()
    made = await backfill(ledger, 1)
    await ledger.record(*map(ended, await start(ledger)))
    with pytest.raises(Conflict, match="is done"):
        await ledger.backfills.cancel(made.id)
    with pytest.raises(BackfillNotFound):
        await ledger.backfills.cancel(UUID(int=0))


async def test_the_delete_of_its_job_cancels_a_backfill(ledger: Ledger, clock: FakeClock) -> None:
    await ledger.create()
    finished = await backfill(ledger, 1)
    await ledger.record(*map(ended, await start(ledger)))
    going_on = (await ledger.backfills.create("job", BackfillRequest(since=PAST, until=PAST + 3 * MINUTE)))[0]
    [called] = await start(ledger)
    clock.step(SECOND)
    await ledger.jobs.delete("job")
    kept, _ = await ledger.backfills.get(finished.id)
    assert kept.canceled_at is None
    canceled, progress = await ledger.backfills.get(going_on.id)
    assert canceled.canceled_at == clock.now()
    assert progress.counts == {State.RUNNING: 1, State.CANCELED: 1}
    assert await ledger.cancels.asked(ME) == set()
    await ledger.backfills.cancel(going_on.id)
    assert await ledger.cancels.asked(ME) == {called.held}
    await ledger.record(cut_off(called))
    told, progress = await ledger.backfills.get(going_on.id)
    assert (told.canceled_at, progress.counts) == (canceled.canceled_at, {State.CANCELED: 2})


async def test_starts_and_a_cancel_at_once_leave_nothing_that_goes_on(ledger: Ledger, rival: Ledger) -> None:
    await ledger.create()
    made = await backfill(ledger, 30, 10)
    runs = await every_run(ledger, made)
    starts, _ = await asyncio.gather(ledger.starts.start(ME, runs), rival.backfills.cancel(made.id))
    assert {each.held for each in starts.begun} == await ledger.cancels.asked(ME)
    counts = (await ledger.backfills.get(made.id))[1].counts
    assert counts.get(State.PENDING, 0) == 0
    assert counts.get(State.RUNNING, 0) == len(starts.begun)
