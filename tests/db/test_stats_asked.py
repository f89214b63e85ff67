"""Stats as they are asked for: of which time and job, by pages, and with percentiles."""

from __future__ import annotations

from datetime import timedelta

import pytest

from app.domain.clock import FakeClock
from app.domain.errors import InvalidInput, JobNotFound
from app.domain.run import State
from app.domain.stats import Figures
from app.service.stats import StatsAsked
from tests.db.auditing import (
    ALL,
    HOUR,
    begin,
    count,
    pass_minutes,
    stats,
    total,
)
from tests.db.building import MINUTE, NOON, ONCE, SECOND, Ledger, cut_off, ended


@pytest.fixture(autouse=True)
async def begun(ledger: Ledger) -> None:
    await begin(ledger)


async def test_lag_and_duration_are_told_by_nearest_rank(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create()
    for number in range(1, 11):
        clock.step(MINUTE)
        clock.step(number * SECOND / 8)
        started = await ledger.running(clock.now(), job)
        await ledger.record(ended(started, took=number * 3 * SECOND))
        clock.step(-number * SECOND / 8)
    clock.step(SECOND)
    outcomes = (await total(ledger)).outcomes
    eighth = SECOND / 8
    assert (outcomes.lag.p50, outcomes.lag.p90, outcomes.lag.p99) == (5 * eighth, 9 * eighth, 10 * eighth)
    assert (outcomes.duration.p50, outcomes.duration.longest) == (15 * SECOND, 30 * SECOND)
    [one] = (await stats(ledger)).jobs
    assert one.figures.outcomes == outcomes


async def test_what_people_start_is_in_none_of_it(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create()
    await pass_minutes(ledger, clock, 3, job)
    run = await ledger.runs.trigger(job.name)
    await ledger.runs.cancel(run.id)
    await ledger.runs.retry(run.id)
    clock.step(SECOND)
    found = await total(ledger)
    assert (found.due, found.outcomes.states) == (3, {State.SUCCEEDED: 3})


async def test_one_job_and_pages_of_jobs(ledger: Ledger, clock: FakeClock) -> None:
    jobs = [await ledger.create(f"job-{number}") for number in range(5)]
    await pass_minutes(ledger, clock, 3, *jobs)
    clock.step(SECOND)
    await count(ledger)
    found, more = await ledger.stats.stats(ALL, None, 2)
    assert ([each.name for each in found.jobs], more) == (["job-0", "job-1"], True)
    rest, more = await ledger.stats.stats(ALL, found.jobs[-1].job_id, 3)
    assert ([each.name for each in rest.jobs], more) == (["job-2", "job-3", "job-4"], False)
    assert rest.total == found.total
    for which in (jobs[3].name, jobs[3].uid):
        one = await stats(ledger, StatsAsked(job=which))
        assert [each.name for each in one.jobs] == ["job-3"]
        assert one.total == one.jobs[0].figures
        assert one.total.due == 3
    with pytest.raises(JobNotFound):
        await stats(ledger, StatsAsked(job="nobody"))


async def test_whole_hours_are_told_as_far_as_they_are_counted(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create()
    await pass_minutes(ledger, clock, 150, job)
    clock.step(SECOND)
    await count(ledger)
    since = StatsAsked(since=NOON + 70 * MINUTE)
    assert ((await stats(ledger, since)).since, (await stats(ledger, since)).total.due) == (NOON + HOUR, 91)
    within = await stats(ledger, StatsAsked(since=NOON + 70 * MINUTE, until=NOON + 80 * MINUTE))
    assert (within.since, within.until, within.total.due) == (NOON + HOUR, NOON + 2 * HOUR, 60)
    assert within.total.outcomes.states == {State.SUCCEEDED: 60}
    early = await stats(ledger, StatsAsked(since=NOON - 70 * MINUTE))
    assert (early.since, early.total.due) == (NOON, 150)
    to_come = await stats(ledger, StatsAsked(since=NOON + 10 * HOUR, until=NOON + 20 * HOUR))
    assert (to_come.since, to_come.until, to_come.total) == (NOON + 10 * HOUR, NOON + 10 * HOUR, Figures())


async def test_the_first_hour_that_is_kept_in_part_is_left_out(ledger: Ledger, clock: FakeClock) -> None:
    clock.step(10 * 24 * HOUR + 20 * MINUTE)
    await count(ledger)
    kept = ledger.stats._kept = timedelta(days=5)
    edge = clock.now() - kept
    assert (await stats(ledger, StatsAsked(since=edge))).since == edge + 40 * MINUTE
    with pytest.raises(InvalidInput, match="longer ago than runs are kept"):
        await stats(ledger, StatsAsked(since=edge - SECOND))
    with pytest.raises(InvalidInput, match="until is not after since"):
        await stats(ledger, StatsAsked(since=edge, until=edge))


async def test_before_the_first_count_there_is_nothing(ledger: Ledger) -> None:
    await ledger.create()
    await ledger.execute("DELETE FROM audits")
    found = await stats(ledger)
    assert (found.counted, found.total.due, found.until) == (None, 0, found.since)


async def test_the_sums_of_many_jobs_are_those_of_each(ledger: Ledger, clock: FakeClock) -> None:
    jobs = [await ledger.create(f"job-{number}", policies=ONCE) for number in range(4)]
    await pass_minutes(ledger, clock, 2, *jobs)
    clock.step(MINUTE)
    for started in (await ledger.claim(clock.now(), *jobs)).started:
        await ledger.record(
            cut_off(started) if started.call.job_name == "job-0" else ended(started, error="status 500")
        )
    clock.step(SECOND)
    await count(ledger)
    found = await stats(ledger)
    each = [job.figures for job in found.jobs]
    assert found.total.due == sum(one.due for one in each) == 12
    for state in State:
        summed = sum(one.outcomes.states.get(state, 0) for one in each)
        assert found.total.outcomes.states.get(state, 0) == summed
