"""When the rules change, next times are computed anew; adopted rows, which were never computed, take the same way."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from app.db.tables import cron_jobs
from app.domain.clock import FakeClock
from app.service import recompute as module
from app.service.recompute import recompute
from app.service.rules import COMPUTED_UNDER
from tests.db.building import MINUTE, NOON, Ledger, every_instant_is_accounted_for, minutes, scheduled

LATER = "dialect 999 tzdata 9999z"


@pytest.fixture
def later_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "COMPUTED_UNDER", LATER)


async def test_what_was_computed_under_todays_rules_stays(ledger: Ledger) -> None:
    job = await ledger.create()
    assert await recompute(ledger.database) == 0
    assert (await ledger.row_of(job)).version == 1


@pytest.mark.usefixtures("later_rules")
async def test_new_rules_begin_as_a_new_version(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create()
    await ledger.overwrite(job, next_run=NOON + 17 * MINUTE)  # what the old rules made of it
    clock.step(2 * MINUTE)
    assert await recompute(ledger.database) == 1
    row = await ledger.row_of(job)
    assert (row.version, row.next_run, row.computed_under) == (2, NOON + 3 * MINUTE, LATER)
    assert row.updated_at == NOON + 2 * MINUTE
    versions = await ledger.versions_of(job)
    assert [(each.effective_from, each.effective_until) for each in versions] == [
        (NOON, NOON + 2 * MINUTE),
        (NOON + 2 * MINUTE, None),
    ]
    assert await recompute(ledger.database) == 0


@pytest.mark.usefixtures("later_rules")
async def test_what_was_due_by_the_old_rules_is_settled(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create()
    clock.step(3 * MINUTE)
    await recompute(ledger.database)
    assert scheduled(await ledger.runs_of(job)) == minutes(NOON + MINUTE, 3)


@pytest.mark.usefixtures("later_rules")
async def test_a_downtime_longer_than_any_partition_is_settled(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(schedule="0 0 * * *")
    clock.step(timedelta(days=60))
    await recompute(ledger.database)
    assert len(await ledger.runs_of(job)) == 60


@pytest.mark.usefixtures("later_rules")
async def test_a_phase_is_kept(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(schedule="@every 10m")
    clock.step(3 * MINUTE)
    await recompute(ledger.database)
    row = await ledger.row_of(job)
    assert (row.anchor, row.next_run) == (NOON, NOON + 10 * MINUTE)


@pytest.mark.usefixtures("later_rules")
async def test_a_paused_job_stays_paused_and_its_span_is_counted(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(enabled=False)
    clock.step(10 * MINUTE)
    await recompute(ledger.database)
    spans = await ledger.spans_of(job)
    assert [(span.version, span.count, span.reason) for span in spans] == [(1, 10, "paused"), (2, None, "paused")]
    assert (await ledger.row_of(job)).next_run is None


@pytest.mark.usefixtures("later_rules")
async def test_while_all_stand_still_so_does_what_is_computed_anew(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create()
    await ledger.switch.pause()
    clock.step(10 * MINUTE)
    await recompute(ledger.database)
    assert (await ledger.row_of(job)).next_run is None
    clock.step(10 * MINUTE)
    await ledger.switch.resume()
    assert [(span.version, span.count) for span in await ledger.spans_of(job)] == [(1, 10), (2, 10)]
    await every_instant_is_accounted_for(ledger, job, minutes(NOON + MINUTE, 20))


@pytest.mark.usefixtures("later_rules")
async def test_what_can_no_longer_be_read_is_kept_and_says_why(ledger: Ledger, clock: FakeClock) -> None:
    broken, sound = await ledger.create("broken"), await ledger.create("sound")
    await ledger.overwrite(broken, schedule="of an earlier dialect")
    clock.step(3 * MINUTE)
    assert await recompute(ledger.database) == 2
    row = await ledger.row_of(broken)
    assert (row.next_run, row.computed_under, row.enabled) == (None, LATER, True)
    assert "5, 6 or 7 fields" in row.problem
    spans = await ledger.spans_of(broken)
    assert [(span.until, span.count, span.reason) for span in spans] == [
        (NOON + 3 * MINUTE, None, "unschedulable"),
        (None, None, "unschedulable"),
    ]
    assert spans[0].until == spans[1].after
    assert (await ledger.row_of(sound)).next_run == NOON + 4 * MINUTE


@pytest.mark.usefixtures("later_rules")
async def test_what_never_fires_any_more_says_so(ledger: Ledger) -> None:
    job = await ledger.create()
    await ledger.overwrite(job, schedule="0 0 30 2 *")
    await recompute(ledger.database)
    row = await ledger.row_of(job)
    assert (row.next_run, "no occurrence" in (row.problem or "")) == (None, True)


@pytest.mark.usefixtures("later_rules")
async def test_a_job_that_has_run_its_course_has_no_problem(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(schedule=f"@at {(NOON + MINUTE).isoformat()}")
    clock.step(MINUTE)
    await ledger.claim(NOON + MINUTE, job)
    await recompute(ledger.database)
    row = await ledger.row_of(job)
    assert (row.next_run, row.problem) == (None, None)


@pytest.mark.usefixtures("later_rules")
async def test_all_are_computed_in_batches(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BATCH", 7)
    await ledger.populate(30)
    assert await recompute(ledger.database) == 30
    assert {row.version for row in await ledger.table(cron_jobs)} == {2}


@pytest.mark.usefixtures("later_rules")
async def test_replicas_that_start_together_compute_each_job_once(ledger: Ledger, rival: Ledger) -> None:
    await ledger.populate(100)
    both = await asyncio.gather(recompute(ledger.database), recompute(rival.database))
    assert sum(both) == 100
    assert {(row.version, row.computed_under) for row in await ledger.table(cron_jobs)} == {(2, LATER)}


async def test_an_older_process_leaves_later_rules_alone(ledger: Ledger) -> None:
    job = await ledger.create()
    await ledger.overwrite(job, computed_under=LATER)
    assert await recompute(ledger.database) == 0
    assert COMPUTED_UNDER < LATER


async def test_what_an_older_process_set_aside_is_taken_up_by_one_that_can_read_it(
    ledger: Ledger, clock: FakeClock
) -> None:
    job = await ledger.create()
    await ledger.overwrite(job, computed_under=LATER)
    await ledger.rows.set_aside(job.id, 1, "not known to the older one")
    clock.step(10 * MINUTE)
    assert await recompute(ledger.database) == 1
    row = await ledger.row_of(job)
    assert (row.problem, row.next_run) == (None, NOON + 11 * MINUTE)
    assert [(span.reason, span.count) for span in await ledger.spans_of(job)] == [("unschedulable", 10)]
