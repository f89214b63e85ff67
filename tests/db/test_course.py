"""A job that has run its course says so, and fires no more."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from app.db import migrate
from app.db.jobs import JobFilter
from app.domain.clock import FakeClock
from app.domain.job import PersistedJob
from app.domain.policies import Misfire, MisfirePolicy, Policies
from app.service import recompute as recompute_module
from app.service.recompute import recompute
from tests.db.building import (
    ME,
    MINUTE,
    NOON,
    Ledger,
    every_instant_is_accounted_for,
    minutes,
    roomy,
    scheduled,
    states,
)

TWO = Policies(max_runs=2)
ALL = Misfire(policy=MisfirePolicy.ALL)


async def course(ledger: Ledger, job: PersistedJob) -> tuple[bool, int, Any]:
    row = await ledger.row_of(job)
    return row.completed, row.runs_made, row.next_run


async def claimed_each_minute(ledger: Ledger, clock: FakeClock, job: PersistedJob, count: int) -> None:
    for _ in range(count):
        clock.step(MINUTE)
        for candidate in await ledger.candidates(clock.now()):
            if candidate.job.id == job.id:
                await ledger.claims.claim(ME, [candidate], roomy())


async def test_after_its_last_run_a_job_is_completed_and_nothing_is_due(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(policies=TWO)
    assert await course(ledger, job) == (False, 0, NOON + MINUTE)
    await claimed_each_minute(ledger, clock, job, 1)
    assert await course(ledger, job) == (False, 1, NOON + 2 * MINUTE)
    await claimed_each_minute(ledger, clock, job, 5)
    assert await course(ledger, job) == (True, 2, None)
    assert (await ledger.row_of(job)).enabled
    assert scheduled(await ledger.runs_of(job)) == minutes(NOON + MINUTE, 2)
    assert await ledger.spans_of(job) == []


async def test_a_claim_that_comes_late_makes_no_more_runs_than_remain(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(policies=Policies(max_runs=3, misfire=ALL))
    clock.step(10 * MINUTE)
    [won] = (await ledger.claim(clock.now(), job)).won
    assert (won.plan.made, won.plan.next, won.plan.latest) == (3, None, NOON + 3 * MINUTE)
    assert await course(ledger, job) == (True, 3, None)
    await every_instant_is_accounted_for(ledger, job, minutes(NOON + MINUTE, 3))


async def test_what_is_missed_does_not_count(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(policies=TWO)
    clock.step(5.5 * MINUTE)
    await ledger.claim(clock.now(), job)
    assert states(await ledger.runs_of(job)) == ["missed"] * 3 + ["pending", "running"]
    assert await course(ledger, job) == (True, 2, None)


async def test_what_an_overlap_skips_counts(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(policies=Policies(max_runs=2, misfire=Misfire(grace_seconds=300)))
    clock.step(2 * MINUTE)
    await ledger.claim(clock.now(), job)
    assert states(await ledger.runs_of(job)) == ["running", "skipped"]
    assert await course(ledger, job) == (True, 2, None)


async def test_the_runs_of_another_claim_count_under_the_lock(ledger: Ledger, rival: Ledger, clock: FakeClock) -> None:
    """What the candidate remembers of the job is older than what the row says."""
    job = await ledger.create(policies=Policies(max_runs=2, misfire=ALL))
    clock.step(MINUTE)
    await ledger.claim(clock.now(), job)
    clock.step(5 * MINUTE)
    stale = await rival.candidate(job, clock.now())
    await ledger.overwrite(job, runs_made=1)
    assert (await rival.claims.claim(ME, [stale], roomy())).won[0].plan.made == 1
    assert await course(ledger, job) == (True, 2, None)


async def test_manual_runs_do_not_count(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(policies=TWO)
    await ledger.runs.trigger("job")
    await claimed_each_minute(ledger, clock, job, 1)
    assert await course(ledger, job) == (False, 1, NOON + 2 * MINUTE)


async def test_what_a_change_settles_counts(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(policies=Policies(max_runs=2, misfire=ALL))
    clock.step(5 * MINUTE)
    changed = await ledger.patch("job", description="new")
    assert (changed.completed, changed.runs_made, changed.next_run) == (True, 2, None)
    assert await course(ledger, job) == (True, 2, None)
    await every_instant_is_accounted_for(ledger, job, minutes(NOON + MINUTE, 2))


async def test_what_a_stop_settles_counts(ledger: Ledger, clock: FakeClock) -> None:
    ends, goes_on = await ledger.create("ends", policies=TWO), await ledger.create("goes-on")
    clock.step(2 * MINUTE)
    await ledger.switch.pause()
    assert await course(ledger, ends) == (True, 2, None)
    assert await course(ledger, goes_on) == (False, 2, None)
    assert await ledger.spans_of(ends) == []
    clock.step(2 * MINUTE)
    await ledger.switch.resume()
    assert await course(ledger, ends) == (True, 2, None)
    assert await course(ledger, goes_on) == (False, 2, NOON + 5 * MINUTE)


async def test_a_stop_and_a_start_keep_the_count(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(policies=Policies(max_runs=3))
    await claimed_each_minute(ledger, clock, job, 1)
    clock.step(MINUTE)
    await ledger.switch.pause()
    clock.step(5 * MINUTE)
    await ledger.switch.resume()
    assert await course(ledger, job) == (False, 2, NOON + 8 * MINUTE)
    await claimed_each_minute(ledger, clock, job, 5)
    assert await course(ledger, job) == (True, 3, None)
    assert scheduled(await ledger.runs_of(job)) == [NOON + n * MINUTE for n in (1, 2, 8)]


async def test_a_pause_and_a_resume_keep_the_count(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(policies=TWO)
    await claimed_each_minute(ledger, clock, job, 1)
    await ledger.jobs.set_enabled("job", enabled=False)
    clock.step(5 * MINUTE)
    await ledger.jobs.set_enabled("job", enabled=True)
    assert await course(ledger, job) == (False, 1, NOON + 7 * MINUTE)
    await claimed_each_minute(ledger, clock, job, 5)
    assert await course(ledger, job) == (True, 2, None)
    [span] = await ledger.spans_of(job)
    assert span.count == 5


async def test_a_pause_of_a_completed_job_holds_nothing(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(policies=TWO)
    await claimed_each_minute(ledger, clock, job, 2)
    paused = await ledger.jobs.set_enabled("job", enabled=False)
    assert (paused.completed, paused.next_run) == (False, None)
    clock.step(5 * MINUTE)
    resumed = await ledger.jobs.set_enabled("job", enabled=True)
    assert (resumed.completed, resumed.next_run, resumed.runs_made) == (True, None, 2)
    assert [span.count for span in await ledger.spans_of(job)] == [0]


async def test_a_higher_max_runs_makes_a_job_live_again(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(policies=TWO)
    await claimed_each_minute(ledger, clock, job, 5)
    again = await ledger.patch("job", policies=Policies(max_runs=3))
    assert (again.completed, again.runs_made, again.next_run) == (False, 2, NOON + 6 * MINUTE)
    await claimed_each_minute(ledger, clock, job, 3)
    assert await course(ledger, job) == (True, 3, None)
    assert scheduled(await ledger.runs_of(job)) == [NOON + n * MINUTE for n in (1, 2, 6)]


async def test_a_lower_max_runs_completes_a_job_at_once(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(policies=Policies(max_runs=10))
    await claimed_each_minute(ledger, clock, job, 3)
    changed = await ledger.patch("job", policies=TWO)
    assert (changed.completed, changed.next_run) == (True, None)
    assert (await ledger.patch("job", policies=Policies())).next_run == NOON + 4 * MINUTE


async def test_a_later_end_makes_a_job_live_again(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(ends_at=NOON + 2 * MINUTE)
    await claimed_each_minute(ledger, clock, job, 3)
    assert await course(ledger, job) == (True, 2, None)
    again = await ledger.patch("job", ends_at=NOON + 10 * MINUTE)
    assert (again.completed, again.next_run) == (False, NOON + 4 * MINUTE)


@pytest.mark.parametrize("schedule", [f"@at {(NOON + MINUTE).isoformat()}", "0 1 12 1 3 ? 2027"])
async def test_a_schedule_that_is_over_completes_its_job(ledger: Ledger, clock: FakeClock, schedule: str) -> None:
    job = await ledger.create(schedule=schedule)
    await claimed_each_minute(ledger, clock, job, 1)
    assert await course(ledger, job) == (True, 1, None)


async def test_a_manual_job_is_never_completed(ledger: Ledger) -> None:
    job = await ledger.create(schedule="@manual")
    assert await course(ledger, job) == (False, 0, None)
    assert not (await ledger.patch("job", description="new")).completed
    await ledger.switch.pause()
    await ledger.switch.resume()
    assert await course(ledger, job) == (False, 0, None)


async def test_a_run_that_was_due_before_the_end_runs_after_it(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(ends_at=NOON + MINUTE)
    clock.step(MINUTE)
    await ledger.patch("job", description="new")
    clock.step(5 * MINUTE)
    assert len((await ledger.starts.start(ME, ledger.heard.queued)).begun) == 1
    assert await course(ledger, job) == (True, 1, None)


async def test_recomputing_keeps_the_count_and_counts_what_it_settles(
    ledger: Ledger, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recompute_module, "COMPUTED_UNDER", "dialect 999 tzdata 9999z")
    ends, goes_on = await ledger.create("ends", policies=TWO), await ledger.create("goes-on")
    clock.step(2 * MINUTE)
    assert await recompute(ledger.database) == 2
    assert await course(ledger, ends) == (True, 2, None)
    assert await course(ledger, goes_on) == (False, 2, NOON + 3 * MINUTE)
    await ledger.overwrite(ends, completed=False, computed_under="")
    assert await recompute(ledger.database) == 1
    assert await course(ledger, ends) == (True, 2, None)


async def test_a_job_that_had_run_its_course_before_the_upgrade_is_completed_by_it(
    ledger: Ledger, clock: FakeClock
) -> None:
    once, manual = (
        await ledger.create("once", f"@at {(NOON + MINUTE).isoformat()}"),
        await ledger.create("m", "@manual"),
    )
    waits = await ledger.create("waits")
    await claimed_each_minute(ledger, clock, once, 1)
    await asyncio.to_thread(migrate.downgrade, ledger.url, "20261124_ledger")
    await asyncio.to_thread(migrate.upgrade, ledger.url)
    assert not (await ledger.row_of(once)).completed
    await recompute(ledger.database)
    assert [(await ledger.row_of(job)).completed for job in (once, manual, waits)] == [True, False, False]
    assert (await ledger.row_of(waits)).version == 1


async def test_next_times_are_as_many_as_runs_remain(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(policies=TWO)
    assert (await ledger.jobs.next_times("job", 10))[1] == minutes(NOON + MINUTE, 2)
    await claimed_each_minute(ledger, clock, job, 1)
    assert (await ledger.jobs.next_times("job", 10))[1] == minutes(NOON + 2 * MINUTE, 1)
    await claimed_each_minute(ledger, clock, job, 1)
    assert (await ledger.jobs.next_times("job", 10))[1] == []


async def test_completed_jobs_can_be_asked_for(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create("ends", policies=TWO)
    await ledger.create("goes-on")
    await claimed_each_minute(ledger, clock, job, 2)
    for completed, names in ((True, ["ends"]), (False, ["goes-on"]), (None, ["ends", "goes-on"])):
        found = await ledger.jobs.page(JobFilter(completed=completed), None, 10)
        assert [each.name for each in found] == names


async def test_a_job_that_is_made_anew_begins_its_count_anew(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(policies=TWO)
    await claimed_each_minute(ledger, clock, job, 2)
    definition = replace((await ledger.jobs.get("job")).definition(), schedule="*/2 * * * *")
    put, new = await ledger.jobs.replace(definition)
    assert (new, put.runs_made, put.completed) == (False, 2, True)
    await ledger.jobs.delete("job")
    again = await ledger.create(policies=TWO)
    assert (again.runs_made, again.completed) == (0, False)
    assert again.next_run == clock.now() + MINUTE
