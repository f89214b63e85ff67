"""What is due, and when, with loops that run: misfires, jitter, the end of a job's course, the changes of a clock."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from app.domain.clock import FakeClock
from app.domain.job import DstGap
from app.domain.misfire import DST
from app.domain.policies import Misfire, MisfirePolicy, Overlap, Policies
from app.domain.timing import jitter
from tests.db.building import every_instant_is_accounted_for, opened
from tests.unit.scheduler.building import MINUTE, NOON, SECOND
from tests.unit.scheduler.replica import Replica, ServerClock, running

LATEST, EARLIEST, ALL, SKIP = MisfirePolicy
GAP_END = datetime(2027, 3, 28, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("policy", "caught_up"), [(LATEST, [9]), (EARLIEST, [5]), (ALL, [5, 6, 7, 8, 9]), (SKIP, [])], ids=str
)
async def test_after_downtime_each_policy_calls_what_it_says(
    database_url: str, clock: FakeClock, server: ServerClock, policy: MisfirePolicy, caught_up: list[int]
) -> None:
    policies = Policies(misfire=Misfire(policy=policy, window_seconds=360), overlap=Overlap.ALLOW)
    async with opened(database_url, server) as earlier:
        job = await earlier.create(policies=policies)
    await clock.advance(10.5 * MINUTE)
    async with running(database_url, clock, server) as replica:
        await replica.recorded(len(caught_up) + 1)
        calls = sorted((call.scheduled_for, call.trigger) for call in replica.target.calls)
        assert calls == [(NOON + n * MINUTE, "catch_up") for n in caught_up] + [(NOON + 10 * MINUTE, "schedule")]
        await every_instant_is_accounted_for(replica.ledger, job, [NOON + n * MINUTE for n in range(1, 11)])


async def test_a_run_is_called_as_long_after_its_instant_as_its_row_says(replica: Replica) -> None:
    job = await replica.create(policies=Policies(jitter_seconds=40))
    await replica.pass_time(240, step=0.5)
    runs = await replica.ledger.runs_of(job)
    assert len(runs) == 4
    for run in runs[:3]:
        assert run.due_at == run.scheduled_for + jitter(job.uid, run.scheduled_for, 40 * SECOND)
        assert run.due_at <= run.started_at < run.due_at + 1.1 * SECOND
    assert len({run.due_at - run.scheduled_for for run in runs}) == 4


async def test_a_job_that_made_its_runs_is_forgotten_and_lives_again_with_more(replica: Replica) -> None:
    job = await replica.create(schedule="* * * * * *", policies=Policies(max_runs=3, overlap=Overlap.ALLOW))
    await replica.pass_time(10)
    assert (len(replica.target.calls), len(replica.service.entries)) == (3, 0)
    assert (await replica.jobs.get("job")).completed
    more = Policies(max_runs=5, overlap=Overlap.ALLOW)
    await replica.jobs.edit("job", lambda job: replace(job.definition(), policies=more))
    await replica.pass_time(10)
    called = [call.scheduled_for for call in replica.target.calls]
    assert called == [NOON + n * SECOND for n in (1, 2, 3, 11, 12)]
    row = await replica.ledger.row_of(job)
    assert (row.completed, row.runs_made, row.enabled) == (True, 5, True)


@pytest.mark.parametrize("gap", list(DstGap))
async def test_at_the_end_of_a_gap_a_job_runs_or_its_row_says_that_it_was_skipped(
    database_url: str, gap: DstGap
) -> None:
    clock = FakeClock(GAP_END - 2 * MINUTE)
    async with running(database_url, clock, ServerClock(clock)) as replica:
        job = await replica.create(schedule="30 2 * * *", timezone="Europe/Berlin", dst_gap=gap)
        await replica.pass_time(180, step=5)
        [run] = await replica.ledger.runs_of(job)
        told = ("skipped", DST) if gap is DstGap.SKIP else ("succeeded", None)
        assert (run.scheduled_for, run.state, run.reason) == (GAP_END, *told)
        assert len(replica.target.calls) == (0 if gap is DstGap.SKIP else 1)
        assert (await replica.ledger.row_of(job)).next_run == GAP_END + timedelta(hours=23.5)


async def test_a_job_that_cannot_be_read_keeps_none_of_the_others_from_being_loaded(
    database_url: str, clock: FakeClock, server: ServerClock
) -> None:
    async with opened(database_url, server) as earlier:
        broken, _ = await earlier.create("broken"), await earlier.create("sound")
        await earlier.overwrite(broken, dst_overlap="third")
    async with running(database_url, clock, server) as replica:
        await replica.pass_time(60, step=10)
        assert [call.job_name for call in replica.target.calls] == ["sound"]
        assert "dst_overlap can't be read" in (await replica.ledger.row_of(broken)).problem
