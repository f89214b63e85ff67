"""What became of what was due, in numbers; and that what the ledger doesn't tell of is seen."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from app.db.tables import job_runs
from app.domain.clock import FakeClock
from app.domain.exclude import Interval
from app.domain.explanation import Finding
from app.domain.job import DstGap, DstOverlap
from app.domain.policies import Misfire, MisfirePolicy, Policies
from app.domain.run import State
from app.domain.stats import Counted
from app.service.retention import RetentionService
from tests.db.auditing import (
    HOUR,
    absent,
    accounted,
    begin,
    count,
    pass_minutes,
    remove,
    stats,
    stats_after_counting,
    total,
    work,
)
from tests.db.building import MINUTE, NOON, ONCE, SECOND, Ledger


@pytest.fixture(autouse=True)
async def begun(ledger: Ledger) -> None:
    await begin(ledger)


async def test_what_was_called_is_counted_by_its_state(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(policies=ONCE)
    await pass_minutes(ledger, clock, 3, job)
    clock.step(MINUTE)
    await work(ledger, job, error="status 500")
    clock.step(MINUTE)
    await ledger.running(clock.now(), job)
    clock.step(SECOND)
    found = await total(ledger)
    assert found.due == 5
    assert found.outcomes.states == {State.SUCCEEDED: 3, State.FAILED: 1, State.RUNNING: 1}
    assert absent(found) == {}


async def test_a_row_that_is_deleted_by_hand_is_missed_whenever_it_is_deleted(ledger: Ledger, clock: FakeClock) -> None:
    job, other = await ledger.create(), await ledger.create("other")
    await pass_minutes(ledger, clock, 4, job, other)
    await remove(ledger, job, NOON + MINUTE)
    clock.step(SECOND)
    assert absent(await total(ledger)) == {Finding.UNACCOUNTED: 1}
    await remove(ledger, job, NOON + 4 * MINUTE)
    found = await stats(ledger)
    assert absent(found.total) == {Finding.UNACCOUNTED: 2}
    assert [absent(each.figures) for each in found.jobs] == [{Finding.UNACCOUNTED: 2}, {}]
    assert accounted(found.total)


async def test_a_row_for_an_instant_of_another_hour_makes_up_for_none(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(schedule="30 * * * *")
    await pass_minutes(ledger, clock, 100, job)
    clock.step(SECOND)
    assert absent(await total(ledger)) == {}
    moved = update(job_runs).where(job_runs.c.scheduled_for == NOON + 30 * MINUTE)
    async with ledger.database.begin() as connection:
        await connection.execute(moved.values(ledger_at=NOON + 80 * MINUTE))
    assert absent((await stats(ledger)).total) == {Finding.UNACCOUNTED: 1}


async def test_a_span_that_is_deleted_by_hand_is_missed(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create()
    await ledger.jobs.set_enabled(job.name, enabled=False)
    clock.step(90 * MINUTE + SECOND)
    assert absent(await total(ledger)) == {Finding.PAUSED: 90}
    await ledger.execute("DELETE FROM job_spans")
    assert absent((await stats(ledger)).total) == {Finding.UNACCOUNTED: 90}


async def test_a_pause_covers_what_lies_in_it(ledger: Ledger, clock: FakeClock) -> None:
    """It begins within an hour, holds one, and ends within one."""
    job = await ledger.create()
    await pass_minutes(ledger, clock, 10, job)
    await ledger.jobs.set_enabled(job.name, enabled=False)
    clock.step(2 * HOUR)
    await ledger.jobs.set_enabled(job.name, enabled=True)
    await pass_minutes(ledger, clock, 5, job)
    clock.step(SECOND)
    found = await total(ledger)
    assert (found.due, found.outcomes.states, absent(found)) == (135, {State.SUCCEEDED: 15}, {Finding.PAUSED: 120})
    await remove(ledger, job, NOON + 3 * MINUTE)
    await remove(ledger, job, NOON + 133 * MINUTE)
    assert absent((await stats(ledger)).total) == {Finding.PAUSED: 120, Finding.UNACCOUNTED: 2}


async def test_the_stop_switch_covers_what_lies_in_it(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create()
    await pass_minutes(ledger, clock, 10, job)
    await ledger.switch.pause()
    clock.step(90 * MINUTE + SECOND)
    assert absent(await total(ledger)) == {Finding.STOPPED: 90}
    await ledger.switch.resume()
    await pass_minutes(ledger, clock, 5, job)
    found = await total(ledger)
    assert (found.due, absent(found)) == (105, {Finding.STOPPED: 90})


async def test_runs_that_a_job_does_not_keep_are_forgotten_and_not_lost(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(policies=Policies(keep_runs=4))
    await pass_minutes(ledger, clock, 10, job)
    while await RetentionService(ledger.database).prune():
        pass
    clock.step(SECOND)
    found = await total(ledger)
    assert (found.due, absent(found)) == (10, {Finding.FORGOTTEN: 6})
    await remove(ledger, job, NOON + 9 * MINUTE)
    assert absent((await stats(ledger)).total) == {Finding.FORGOTTEN: 6, Finding.UNACCOUNTED: 1}


async def test_what_nobody_claims_is_late_and_not_lost(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create()
    await pass_minutes(ledger, clock, 10, job)
    clock.step(3 * HOUR)
    found = await total(ledger)
    assert (found.due, absent(found)) == (189, {Finding.UNCLAIMED: 179})
    await remove(ledger, job, NOON + 3 * MINUTE)
    assert absent((await stats(ledger)).total) == {Finding.UNCLAIMED: 179, Finding.UNACCOUNTED: 1}


@pytest.mark.parametrize("policy", list(MisfirePolicy), ids=str)
async def test_what_was_missed_is_told_after_it_was_counted(
    ledger: Ledger, clock: FakeClock, policy: MisfirePolicy
) -> None:
    """Replicas were down for hours; what they leave in the ledger is a span, rows that are born ended, and runs."""
    job = await ledger.create(policies=Policies(misfire=Misfire(policy=policy, max=20)))
    await pass_minutes(ledger, clock, 10, job)
    clock.step(5 * HOUR + SECOND)
    await count(ledger)
    await work(ledger, job)
    found = await total(ledger)
    assert found.due == 310
    assert found.absent[Finding.MISSED] > 200
    assert found.absent[Finding.UNACCOUNTED] == 0
    assert accounted(found)


async def test_an_edit_counts_by_both_schedules(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create()
    await pass_minutes(ledger, clock, 10, job)
    job = await ledger.patch(job.name, schedule="*/5 * * * *")
    await pass_minutes(ledger, clock, 20, job)
    await ledger.jobs.delete(job.name)
    clock.step(HOUR)
    found = await stats_after_counting(ledger)
    assert found.total.due == 14
    assert absent(found.total) == {}
    assert [each.name for each in found.jobs] == ["job"]


@pytest.mark.parametrize("by", [timedelta(0), SECOND, -SECOND], ids=str)
async def test_an_edit_at_a_due_instant_leaves_none_out(ledger: Ledger, clock: FakeClock, by: timedelta) -> None:
    job = await ledger.create()
    await pass_minutes(ledger, clock, 9, job)
    clock.step(MINUTE + by)
    job = await ledger.patch(job.name, schedule="*/2 * * * *")
    clock.step(-by)
    await pass_minutes(ledger, clock, 4, job)
    clock.step(SECOND)
    found = await total(ledger)
    assert (found.due, absent(found)) == (12, {})


async def test_a_job_made_anew_under_its_name_is_another(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create()
    await pass_minutes(ledger, clock, 5, job)
    await ledger.jobs.delete(job.name)
    job = await ledger.create()
    await pass_minutes(ledger, clock, 3, job)
    clock.step(SECOND)
    found = await stats_after_counting(ledger)
    assert [(each.name, each.figures.due) for each in found.jobs] == [("job", 5), ("job", 3)]
    assert absent(found.total) == {}


async def test_a_job_that_has_made_all_its_runs_is_due_no_more(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(policies=Policies(max_runs=3))
    await pass_minutes(ledger, clock, 10, job)
    clock.step(SECOND)
    found = await total(ledger)
    assert (found.due, absent(found)) == (3, {})
    job = await ledger.patch(job.name, policies=Policies(max_runs=5))
    await pass_minutes(ledger, clock, 10, job)
    found = await total(ledger)
    assert (found.due, absent(found)) == (5, {})
    await ledger.patch(job.name, policies=Policies(max_runs=1))
    clock.step(5 * MINUTE)
    assert (await total(ledger)).due == 5
    await remove(ledger, job, NOON + 3 * MINUTE)
    assert absent((await stats(ledger)).total) == {Finding.UNACCOUNTED: 1}


async def test_what_a_job_with_max_runs_waits_for_is_counted_once_it_is_claimed(
    ledger: Ledger, clock: FakeClock
) -> None:
    """It was late: of what was due since then only the latest runs, and it is the last."""
    job = await ledger.create(policies=Policies(max_runs=3, misfire=Misfire(policy=MisfirePolicy.EARLIEST)))
    await pass_minutes(ledger, clock, 2, job)
    clock.step(30 * MINUTE)
    await count(ledger)
    assert (await stats(ledger)).counted == Counted(NOON, NOON + 3 * MINUTE)
    await work(ledger, job)
    clock.step(MINUTE)
    found = await total(ledger)
    assert found.absent.get(Finding.UNACCOUNTED, 0) == 0
    assert accounted(found)


async def test_a_deleted_job_that_had_made_all_its_runs_is_counted_to_its_last(
    ledger: Ledger, clock: FakeClock
) -> None:
    job = await ledger.create(policies=Policies(max_runs=3))
    await pass_minutes(ledger, clock, 10, job)
    await ledger.jobs.delete(job.name)
    clock.step(SECOND)
    found = await total(ledger)
    assert (found.due, absent(found)) == (3, {})


async def test_what_is_excluded_is_due_and_skipped(ledger: Ledger, clock: FakeClock) -> None:
    exclude = (Interval(NOON + 3 * MINUTE, NOON + 6 * MINUTE),)
    job = await ledger.create(policies=Policies(exclude=exclude))
    await pass_minutes(ledger, clock, 10, job)
    clock.step(SECOND)
    found = await total(ledger)
    assert (found.due, found.outcomes.states) == (10, {State.SUCCEEDED: 7, State.SKIPPED: 3})
    assert absent(found) == {}


@pytest.mark.parametrize("gap", list(DstGap), ids=str)
@pytest.mark.parametrize("overlap", list(DstOverlap), ids=str)
@pytest.mark.parametrize("changes_at", [datetime(2027, 3, 28, 1, tzinfo=UTC), datetime(2027, 10, 31, 1, tzinfo=UTC)])
async def test_a_change_of_the_clock_leaves_none_out(
    ledger: Ledger, clock: FakeClock, gap: DstGap, overlap: DstOverlap, changes_at: datetime
) -> None:
    clock.step(changes_at - 3 * HOUR - clock.now())
    await ledger.execute("DELETE FROM audits")
    await begin(ledger)
    more = {"timezone": "Europe/Berlin", "dst_gap": gap, "dst_overlap": overlap}
    jobs = [await ledger.create(f"at-{hour}", f"30 {hour} * * *", **more) for hour in range(1, 4)]
    jobs.append(await ledger.create("often", "*/20 * * * *", **more))
    for _ in range(6 * 6):
        clock.step(10 * MINUTE)
        await work(ledger, *jobs)
    clock.step(SECOND)
    found = await total(ledger)
    assert found.due == 18 + 3 + (overlap is DstOverlap.BOTH and changes_at.month == 10)
    assert found.outcomes.states.get(State.SKIPPED, 0) == (gap is DstGap.SKIP and changes_at.month == 3)
    assert absent(found) == {}


async def test_a_pause_that_ends_late_ends_when_it_was_to(ledger: Ledger, clock: FakeClock) -> None:
    """Its version begins in what has been counted."""
    job = await ledger.create()
    await ledger.jobs.set_enabled(job.name, enabled=False, until=NOON + 30 * MINUTE)
    clock.step(90 * MINUTE + SECOND)
    assert absent(await total(ledger)) == {Finding.PAUSED: 90}
    await ledger.pauses.end_due()
    await work(ledger, job)
    found = await total(ledger)
    assert found.absent[Finding.PAUSED] == 30
    assert found.absent[Finding.UNACCOUNTED] == 0
    assert accounted(found)
