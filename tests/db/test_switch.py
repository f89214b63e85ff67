from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from app.db.tables import cron_jobs, job_runs
from app.domain.clock import FakeClock
from app.service import switch
from tests.db.building import (
    ME,
    MINUTE,
    NOON,
    SECOND,
    Ledger,
    every_instant_is_accounted_for,
    minutes,
    roomy,
    scheduled,
    states,
)
from tests.db.locks import gate

STOPPED = "scheduler paused"


async def test_the_switch_is_off_at_first(ledger: Ledger) -> None:
    assert not (await ledger.switch.state())[0]


async def test_a_stop_settles_what_was_due_and_opens_a_span(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create()
    clock.step(3 * MINUTE)
    await ledger.switch.pause()
    assert await ledger.switch.state() == (True, NOON + 3 * MINUTE)
    assert states(await ledger.runs_of(job)) == ["pending"] * 3
    [span] = await ledger.spans_of(job)
    assert (span.after, span.until, span.reason) == (NOON + 3 * MINUTE, None, STOPPED)
    row = await ledger.row_of(job)
    assert (row.next_run, row.enabled, row.version) == (None, True, 1)
    assert len(ledger.heard.queued) == 3
    assert ledger.heard.many > 0


async def test_a_start_closes_the_span_and_makes_up_for_nothing(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create()
    clock.step(MINUTE)
    await ledger.switch.pause()
    clock.step(60 * MINUTE)
    await ledger.switch.resume()
    assert await ledger.switch.state() == (False, NOON + 61 * MINUTE)
    [span] = await ledger.spans_of(job)
    assert (span.until, span.count) == (NOON + 61 * MINUTE, 60)
    assert (await ledger.row_of(job)).next_run == NOON + 62 * MINUTE
    await every_instant_is_accounted_for(ledger, job, minutes(NOON + MINUTE, 61))


async def test_the_switch_is_for_all_jobs(ledger: Ledger, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(switch, "BATCH", 7)
    await ledger.populate(30)
    clock.step(MINUTE)
    await ledger.switch.pause()
    assert {row.next_run for row in await ledger.table(cron_jobs)} == {None}
    assert await ledger.rows.enabled_page(0, 100) == []
    clock.step(MINUTE)
    await ledger.switch.resume()
    assert {row.next_run for row in await ledger.table(cron_jobs)} == {NOON + 3 * MINUTE}
    assert scheduled(await ledger.table(job_runs)) == [NOON + MINUTE] * 30


async def test_turning_it_twice_is_turning_it_once(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create()
    await ledger.switch.pause()
    clock.step(MINUTE)
    await ledger.switch.pause()
    assert await ledger.switch.state() == (True, NOON)
    assert len(await ledger.spans_of(job)) == 1
    await ledger.switch.resume()
    await ledger.switch.resume()
    assert len(await ledger.spans_of(job)) == 1


async def test_a_job_that_is_made_while_all_stand_still_stands_still(ledger: Ledger, clock: FakeClock) -> None:
    await ledger.switch.pause()
    job = await ledger.create()
    assert (job.next_run, [span.reason for span in await ledger.spans_of(job)]) == (None, [STOPPED])
    clock.step(5 * MINUTE)
    await ledger.switch.resume()
    [span] = await ledger.spans_of(job)
    assert (span.after, span.until, span.count) == (NOON, NOON + 5 * MINUTE, 5)
    assert (await ledger.row_of(job)).next_run == NOON + 6 * MINUTE


async def test_a_job_that_is_paused_stays_paused_through_stop_and_start(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(enabled=False)
    await ledger.switch.pause()
    clock.step(MINUTE)
    await ledger.switch.resume()
    assert (await ledger.row_of(job)).next_run is None
    assert [(span.reason, span.until) for span in await ledger.spans_of(job)] == [("paused", None)]


async def test_a_job_that_is_resumed_while_all_stand_still_waits_for_the_switch(
    ledger: Ledger, clock: FakeClock
) -> None:
    job = await ledger.create(enabled=False)
    await ledger.switch.pause()
    clock.step(MINUTE)
    resumed = await ledger.jobs.set_enabled("job", enabled=True)
    assert resumed.next_run is None
    clock.step(MINUTE)
    await ledger.switch.resume()
    spans = await ledger.spans_of(job)
    assert [(span.reason, span.count) for span in spans] == [("paused", 1), (STOPPED, 1)]
    assert (await ledger.row_of(job)).next_run == NOON + 3 * MINUTE


async def test_a_job_that_is_paused_while_all_stand_still_is_not_started_with_them(
    ledger: Ledger, clock: FakeClock
) -> None:
    job = await ledger.create()
    await ledger.switch.pause()
    clock.step(MINUTE)
    await ledger.jobs.set_enabled("job", enabled=False)
    await ledger.switch.resume()
    spans = await ledger.spans_of(job)
    assert [(span.reason, span.until) for span in spans] == [(STOPPED, NOON + MINUTE), ("paused", None)]
    assert (await ledger.row_of(job)).next_run is None


async def test_a_trigger_works_while_all_stand_still(ledger: Ledger) -> None:
    await ledger.create()
    await ledger.switch.pause()
    await ledger.runs.trigger("job")
    assert len(await ledger.starts.pending(10, [], timedelta(0))) == 1


async def test_a_turn_that_was_cut_short_is_finished_by_any_replica(
    ledger: Ledger, rival: Ledger, clock: FakeClock
) -> None:
    job = await ledger.create()
    await ledger.switch._turn(paused=True)
    clock.step(MINUTE)
    await rival.switch.finish()
    assert (await ledger.row_of(job)).next_run is None
    await every_instant_is_accounted_for(ledger, job, [NOON + MINUTE])
    await ledger.switch._turn(paused=False)
    await rival.switch.finish()
    assert (await ledger.row_of(job)).next_run == NOON + 2 * MINUTE


async def test_a_schedule_that_cannot_be_read_holds_up_no_start(ledger: Ledger, clock: FakeClock) -> None:
    broken, sound = await ledger.create("broken"), await ledger.create("sound")
    await ledger.overwrite(broken, schedule="of a later dialect")
    clock.step(2 * MINUTE)
    await ledger.switch.pause()
    clock.step(2 * MINUTE)
    await ledger.switch.resume()
    assert (await ledger.row_of(sound)).next_run == NOON + 5 * MINUTE
    spans = await ledger.spans_of(broken)
    assert [(span.until, span.count) for span in spans] == [(NOON + 2 * MINUTE, None), (NOON + 4 * MINUTE, None)]
    row = await ledger.row_of(broken)
    assert row.next_run > NOON + 4 * MINUTE
    await ledger.rows.set_aside(broken.id, broken.version, "can't be read")
    assert (await ledger.spans_of(broken))[2].after == NOON + 4 * MINUTE


async def test_a_pause_during_a_start_stays_a_pause(contended: Ledger, rival: Ledger, clock: FakeClock) -> None:
    job = await contended.create()
    await contended.switch.pause()
    clock.step(MINUTE)
    await contended.switch._turn(paused=False)
    async with gate(contended.url, "LOCK TABLE job_versions IN SHARE MODE") as held:
        pausing = asyncio.create_task(rival.jobs.set_enabled("job", enabled=False))
        await held.until_waiting(1)
        starting = asyncio.create_task(contended.switch.finish())
        await held.until_waiting(2)
        await held.open()
        await asyncio.gather(pausing, starting)
    assert (await contended.row_of(job)).next_run is None
    assert [(span.reason, span.until) for span in await contended.spans_of(job)] == [
        (STOPPED, NOON + MINUTE),
        ("paused", None),
    ]


async def test_two_that_start_the_jobs_at_once_skip_no_instant(
    contended: Ledger, rival: Ledger, clock: FakeClock
) -> None:
    job = await contended.create(schedule="* * * * * *")
    await contended.switch.pause()
    clock.step(MINUTE)
    await contended.switch._turn(paused=False)
    async with gate(contended.url, "LOCK TABLE job_spans IN SHARE MODE") as held:
        first = asyncio.create_task(contended.switch.finish())
        await held.until_waiting(1)
        second = asyncio.create_task(rival.switch.finish())
        await held.until_waiting(2)
        clock.step(5 * SECOND)
        await held.open()
        await asyncio.gather(first, second)
    [span] = await contended.spans_of(job)
    # MariaDB lets nobody lock a row of the table either: the first waits there before it asks for the time.
    started = NOON + MINUTE + (5 * SECOND if contended.database.dialect == "mariadb" else 0 * SECOND)
    assert (span.until, span.count) == (started, (started - NOON) / SECOND)
    assert (await contended.row_of(job)).next_run == started + SECOND


async def test_a_claim_that_meets_a_stop_settles_nothing_twice(
    contended: Ledger, rival: Ledger, clock: FakeClock
) -> None:
    job = await contended.create()
    clock.step(MINUTE)
    candidate = await contended.candidate(job, clock.now())
    async with gate(contended.url, "LOCK TABLE job_spans IN SHARE MODE") as held:
        stopping = asyncio.create_task(rival.switch.pause())
        await held.until_waiting(1)
        assert (await contended.claims.claim(ME, [candidate], roomy())).busy == [candidate]
        await held.open()
        await stopping
    assert (await contended.claims.claim(ME, [candidate], roomy())).stale == [candidate]
    assert states(await contended.runs_of(job)) == ["pending"]
    await every_instant_is_accounted_for(contended, job, [NOON + MINUTE])


async def test_a_job_that_is_made_while_the_switch_is_turned_is_not_forgotten(
    contended: Ledger, rival: Ledger, clock: FakeClock
) -> None:
    async with gate(contended.url, "LOCK TABLE job_versions IN SHARE MODE") as held:
        making = asyncio.create_task(contended.create())
        await held.until_waiting(1)
        stopping = asyncio.create_task(rival.switch.pause())
        await held.until_waiting(2)
        await held.open()
        job = await making
        await stopping
    assert (await contended.row_of(job)).next_run is None
    clock.step(2 * MINUTE)
    await every_instant_is_accounted_for(contended, job, minutes(NOON + MINUTE, 2))
