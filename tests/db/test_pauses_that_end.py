"""Pauses that end by themselves, and what is done to a job when its pause is over."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from app.db.transaction import Transaction
from app.domain.clock import FakeClock
from app.domain.job import PersistedJob
from app.service import pauses
from app.service.recompute import recompute
from tests.db.building import (
    JUST,
    MINUTE,
    NOON,
    Ledger,
    every_instant_is_accounted_for,
    minutes,
    scheduled,
    states,
)
from tests.db.locks import gate
from tests.db.pausing import UNTIL, paused, spans


async def test_a_job_goes_on_at_the_instant_that_was_said(ledger: Ledger, clock: FakeClock) -> None:
    job = await paused(ledger, note="moving house")
    clock.step(UNTIL - NOON - JUST)
    assert await ledger.pauses.end_due() == []
    assert (await ledger.row_of(job)).enabled is False
    clock.step(JUST)
    assert await ledger.pauses.end_due() == [job.id]
    row = await ledger.jobs.get("job")
    assert (row.enabled, row.pause_note, row.paused_until, row.version) == (True, None, None, 3)
    assert row.next_run == NOON + 11 * MINUTE
    assert await spans(ledger, job) == [(NOON, UNTIL, "paused", "moving house")]
    assert (await ledger.spans_of(job))[0].count == 10
    assert [version.effective_until for version in await ledger.versions_of(job)] == [NOON, UNTIL, None]
    assert await ledger.pauses.end_due() == []


async def test_an_occurrence_at_the_instant_itself_is_the_last_of_the_pause(ledger: Ledger, clock: FakeClock) -> None:
    job = await paused(ledger, until=NOON + 10 * MINUTE)
    clock.step(12 * MINUTE)
    await ledger.pauses.end_due()
    assert (await ledger.spans_of(job))[0].count == 10
    assert (await ledger.row_of(job)).next_run == NOON + 11 * MINUTE


async def test_what_is_due_between_the_instant_and_the_look_is_run(ledger: Ledger, clock: FakeClock) -> None:
    job = await paused(ledger)
    clock.step(11 * MINUTE)
    assert await ledger.pauses.end_due() == [job.id]
    [started] = (await ledger.claim(clock.now(), job)).started
    assert (started.call.scheduled_for, started.call.trigger) == (NOON + 11 * MINUTE, "schedule")
    assert (await ledger.row_of(job)).updated_at == NOON + 11 * MINUTE
    versions = await ledger.versions_of(job)
    assert [(each.effective_from, each.effective_until) for each in versions[1:]] == [(NOON, UNTIL), (UNTIL, None)]
    await every_instant_is_accounted_for(ledger, job, minutes(NOON + MINUTE, 11))


async def test_what_was_due_while_nobody_was_there_is_caught_up(ledger: Ledger, clock: FakeClock) -> None:
    job = await paused(ledger)
    clock.step(3 * 60 * MINUTE)
    assert await ledger.pauses.end_due() == [job.id]
    assert (await ledger.row_of(job)).next_run == NOON + 11 * MINUTE
    await ledger.claim(clock.now(), job)
    assert "catch_up" in {run.trigger for run in await ledger.runs_of(job)}
    await every_instant_is_accounted_for(ledger, job, minutes(NOON + MINUTE, 180))


async def test_one_of_two_replicas_ends_a_pause(ledger: Ledger, rival: Ledger, clock: FakeClock) -> None:
    job = await paused(ledger)
    clock.step(11 * MINUTE)
    told = await asyncio.gather(*(each.pauses.end_due() for each in (ledger, rival, ledger, rival)))
    assert sorted(told) == [[], [], [], [job.id]]
    assert (await ledger.row_of(job)).version == 3
    assert len(await ledger.spans_of(job)) == 1


async def test_nobody_waits_for_a_job_that_another_is_busy_with(contended: Ledger, clock: FakeClock) -> None:
    job = await paused(contended)
    clock.step(11 * MINUTE)
    async with gate(contended.url, "SELECT FROM cron_jobs FOR UPDATE"), asyncio.timeout(5):
        assert await contended.pauses.end_due() == []
    assert await contended.pauses.end_due() == [job.id]


async def test_a_change_after_the_instant_meets_a_job_that_goes_on(ledger: Ledger, clock: FakeClock) -> None:
    job = await paused(ledger)
    clock.step(11 * MINUTE)
    row = await ledger.patch("job", description="new")
    assert (row.enabled, row.version, row.next_run, row.pause_note) == (True, 4, NOON + 12 * MINUTE, None)
    assert scheduled(await ledger.runs_of(job)) == [NOON + 11 * MINUTE]
    assert await spans(ledger, job) == [(NOON, UNTIL, "paused", None)]
    await every_instant_is_accounted_for(ledger, job, minutes(NOON + MINUTE, 11))


async def test_a_pause_after_the_instant_is_another_pause(ledger: Ledger, clock: FakeClock) -> None:
    job = await paused(ledger, note="one")
    clock.step(11 * MINUTE)
    await ledger.jobs.set_enabled("job", enabled=False, note="other")
    assert scheduled(await ledger.runs_of(job)) == [NOON + 11 * MINUTE]
    assert await spans(ledger, job) == [
        (NOON, UNTIL, "paused", "one"),
        (NOON + 11 * MINUTE, None, "paused", "other"),
    ]


async def test_a_replacement_after_the_instant_loses_nothing(ledger: Ledger, clock: FakeClock) -> None:
    job = await paused(ledger)
    clock.step(11 * MINUTE)
    await ledger.jobs.replace(replace(job.definition(), schedule="0 0 * * *"))
    assert scheduled(await ledger.runs_of(job)) == [NOON + 11 * MINUTE]


async def test_a_delete_after_the_instant_loses_nothing(ledger: Ledger, clock: FakeClock) -> None:
    job = await paused(ledger)
    clock.step(11 * MINUTE)
    await ledger.jobs.delete("job")
    assert states(await ledger.runs_of(job)) == ["canceled"]
    await every_instant_is_accounted_for(ledger, job, minutes(NOON + MINUTE, 11))


async def test_new_rules_after_the_instant_lose_nothing(ledger: Ledger, clock: FakeClock) -> None:
    job = await paused(ledger)
    clock.step(11 * MINUTE)
    await ledger.overwrite(job, computed_under="")
    assert await recompute(ledger.database) == 1
    row = await ledger.row_of(job)
    assert (row.enabled, row.next_run) == (True, NOON + 12 * MINUTE)
    await every_instant_is_accounted_for(ledger, job, minutes(NOON + MINUTE, 11))


async def test_new_rules_during_a_pause_keep_its_note(ledger: Ledger, clock: FakeClock) -> None:
    job = await paused(ledger, note="one")
    clock.step(MINUTE)
    await ledger.overwrite(job, computed_under="")
    await recompute(ledger.database)
    row = await ledger.row_of(job)
    assert (row.pause_note, row.paused_until) == ("one", UNTIL)
    assert [span.note for span in await ledger.spans_of(job)] == ["one", "one"]


async def test_a_pause_that_ends_while_all_stand_still_leads_into_that(ledger: Ledger, clock: FakeClock) -> None:
    job = await paused(ledger)
    await ledger.switch.pause()
    clock.step(12 * MINUTE)
    assert await ledger.pauses.end_due() == [job.id]
    assert ((await ledger.row_of(job)).enabled, (await ledger.row_of(job)).next_run) == (True, None)
    assert await spans(ledger, job) == [(NOON, UNTIL, "paused", None), (UNTIL, None, "scheduler paused", None)]
    await ledger.switch.resume()
    assert (await ledger.row_of(job)).next_run == NOON + 13 * MINUTE
    await every_instant_is_accounted_for(ledger, job, minutes(NOON + MINUTE, 12))


async def test_what_was_due_before_all_stood_still_is_run(ledger: Ledger, clock: FakeClock) -> None:
    job = await paused(ledger)
    clock.step(11 * MINUTE)
    await ledger.switch.pause()
    clock.step(2 * MINUTE)
    assert await ledger.pauses.end_due() == [job.id]
    assert scheduled(await ledger.runs_of(job)) == [NOON + 11 * MINUTE]
    assert (await spans(ledger, job))[1] == (NOON + 11 * MINUTE, None, "scheduler paused", None)
    assert (await ledger.row_of(job)).next_run is None
    await every_instant_is_accounted_for(ledger, job, minutes(NOON + MINUTE, 13))


async def test_a_schedule_that_has_run_its_course_meanwhile_fires_no_more(ledger: Ledger, clock: FakeClock) -> None:
    job = await paused(ledger, ends_at=NOON + 5 * MINUTE)
    clock.step(12 * MINUTE)
    assert await ledger.pauses.end_due() == [job.id]
    row = await ledger.jobs.get("job")
    assert (row.enabled, row.next_run, row.completed) == (True, None, True)
    assert (await ledger.spans_of(job))[0].count == 5


async def test_a_schedule_that_cannot_be_read_is_left_to_the_scheduler(ledger: Ledger, clock: FakeClock) -> None:
    job = await paused(ledger)
    await ledger.overwrite(job, schedule="of a later dialect")
    clock.step(12 * MINUTE)
    assert await ledger.pauses.end_due() == [job.id]
    assert (await ledger.row_of(job)).next_run == UNTIL + JUST
    await ledger.rows.set_aside(job.id, 3, "can't be read")
    assert await spans(ledger, job) == [(NOON, UNTIL, "paused", None), (UNTIL, None, "unschedulable", None)]


async def test_a_job_that_cannot_be_scheduled_says_so_when_it_goes_on(ledger: Ledger, clock: FakeClock) -> None:
    job = await paused(ledger)
    await ledger.overwrite(job, problem="no endpoint")
    clock.step(12 * MINUTE)
    await ledger.pauses.end_due()
    row = await ledger.jobs.get("job")
    assert (row.enabled, row.next_run, row.problem) == (True, None, "no endpoint")
    assert (await spans(ledger, job))[1] == (UNTIL, None, "unschedulable", None)


async def test_one_that_fails_keeps_no_other_waiting(
    ledger: Ledger, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = [await ledger.create(name) for name in ("one", "poisoned", "other")]
    for job in jobs:
        await ledger.jobs.set_enabled(job.name, enabled=False, until=UNTIL)

    async def failing(tx: Transaction, job: PersistedJob) -> PersistedJob:
        if job.name == "poisoned":
            raise ValueError(job.name)
        return await awake(tx, job)

    awake = pauses.awake
    monkeypatch.setattr(pauses, "awake", failing)
    clock.step(12 * MINUTE)
    assert sorted(await ledger.pauses.end_due()) == [jobs[0].id, jobs[2].id]
    assert (await ledger.row_of(jobs[1])).enabled is False


async def test_failures_are_forgotten_when_a_job_goes_on(ledger: Ledger, clock: FakeClock) -> None:
    job = await paused(ledger)
    await ledger.overwrite(job, failures_in_a_row=7)
    clock.step(12 * MINUTE)
    await ledger.pauses.end_due()
    assert (await ledger.row_of(job)).failures_in_a_row == 0
    await ledger.jobs.set_enabled("job", enabled=False)
    await ledger.overwrite(job, failures_in_a_row=7)
    await ledger.jobs.set_enabled("job", enabled=True)
    assert (await ledger.row_of(job)).failures_in_a_row == 0
