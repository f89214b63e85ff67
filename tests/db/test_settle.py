"""A change of a job first settles what was due under its old version: no instant is without a run or a span."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from app.db.tables import job_runs
from app.domain.clock import FakeClock
from app.domain.identity import occurrence_id
from app.domain.policies import Overlap, Policies
from tests.db.building import (
    ME,
    MINUTE,
    NOON,
    SECOND,
    Ledger,
    every_instant_is_accounted_for,
    minutes,
    queued,
    roomy,
    scheduled,
    states,
)

LATE = NOON + 5 * MINUTE + 10 * SECOND


@pytest.mark.parametrize(
    "changes",
    [{"description": "new"}, {"schedule": "*/2 * * * *"}, {"enabled": False}, {"endpoint": "http://two.example/"}],
)
async def test_a_change_settles_what_was_due(ledger: Ledger, clock: FakeClock, changes: dict[str, Any]) -> None:
    job = await ledger.create(policies=Policies(overlap=Overlap.ALLOW))
    clock.step(2 * MINUTE)
    await ledger.claim(NOON + 2 * MINUTE, job)
    clock.step(LATE - clock.now())
    await ledger.patch("job", **changes)
    runs = await ledger.runs_of(job)
    assert [(run.scheduled_for - NOON) // MINUTE for run in runs] == [1, 2, 3, 4, 5]
    assert [(run.state, run.trigger, run.job_version) for run in runs[2:]] == [
        ("missed", "schedule", 1),
        ("pending", "catch_up", 1),
        ("pending", "schedule", 1),
    ]
    assert [each.run_id for each in ledger.heard.queued] == [run.id for run in runs[3:]]
    started = (await ledger.starts.start(ME, ledger.heard.queued)).begun
    assert [each.call.run_id for each in started] == [runs[4].id]  # what is caught up waits for what is active
    await every_instant_is_accounted_for(ledger, job, minutes(NOON + MINUTE, 5))


async def test_what_was_settled_runs_by_the_new_version(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create()
    clock.step(MINUTE)
    await ledger.patch("job", endpoint="http://one.example/new")
    [started] = (await ledger.starts.start(ME, ledger.heard.queued)).begun
    assert started.call.run_id == occurrence_id(job.uid, NOON + MINUTE)
    assert started.call.endpoint == "http://one.example/new"


async def test_a_new_schedule_goes_on_after_the_old_ones_last_instant(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create()
    clock.step(3 * MINUTE)
    await ledger.patch("job", schedule="* * * * * *")
    clock.step(5 * SECOND)
    await ledger.claim(clock.now(), job)
    await every_instant_is_accounted_for(
        ledger, job, minutes(NOON + MINUTE, 3) + [NOON + 3 * MINUTE + SECOND * each for each in range(1, 6)]
    )


async def test_a_delete_settles_and_cancels_what_was_due(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create()
    clock.step(LATE - NOON)
    await ledger.jobs.delete("job")
    runs = await ledger.runs_of(job)
    assert states(runs) == ["missed", "missed", "missed", "canceled", "canceled"]
    assert [run.reason for run in runs] == ["no replica"] * 3 + ["deleted"] * 2
    assert [run.finished_at for run in runs[3:]] == [LATE, LATE]
    await every_instant_is_accounted_for(ledger, job, minutes(NOON + MINUTE, 5))
    assert ledger.heard.queued == []
    assert ledger.heard.changed == [job.id, job.id]


async def test_a_delete_leaves_other_jobs_runs_alone(ledger: Ledger, clock: FakeClock) -> None:
    one, two = await ledger.create("one"), await ledger.create("two")
    clock.step(MINUTE)
    await ledger.patch("two", description="new")
    await ledger.jobs.delete("one")
    assert states(await ledger.runs_of(one)) == ["canceled"]
    assert states(await ledger.runs_of(two)) == ["pending"]


async def test_a_delete_ends_more_pending_runs_than_a_statement_has_parameters(
    ledger: Ledger, clock: FakeClock
) -> None:
    await ledger.create()
    clock.step(MINUTE)
    await ledger.patch("job", description="new")
    await ledger.execute(_MANY_PENDING[ledger.database.dialect])
    await ledger.jobs.delete("job")
    async with ledger.database.read() as connection:
        found = await connection.execute(select(job_runs.c.state, func.count()).group_by(job_runs.c.state))
        assert [tuple(row) for row in found] == [("canceled", 33_001)]


_COPY = (
    "INSERT INTO job_runs (id, ledger_at, job_id, job_name, job_version, scheduled_for, trigger, state, due_at)"
    " SELECT {id}, ledger_at, job_id, job_name, job_version, scheduled_for, trigger, state, due_at"
    " FROM job_runs, {numbers}"
)
_SQLITE_NUMBERS = "(WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 33000) SELECT i FROM n)"
_MANY_PENDING = {
    "postgresql": _COPY.format(id="gen_random_uuid()", numbers="generate_series(1, 33000)"),
    "mariadb": _COPY.replace("trigger", "`trigger`").format(id="REPLACE(UUID(), '-', '')", numbers="seq_1_to_33000"),
    "sqlite": _COPY.format(id="lower(hex(randomblob(16)))", numbers=_SQLITE_NUMBERS),
}


async def test_a_long_hole_is_settled_as_a_span(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(schedule="* * * * * *")
    clock.step(timedelta(days=3))
    await ledger.patch("job", description="new")
    runs, [span] = await ledger.runs_of(job), await ledger.spans_of(job)
    assert len(runs) + (span.count or 0) == 259_200
    assert (span.version, span.reason) == (1, "no replica")
    assert (await ledger.row_of(job)).next_run == clock.now() + SECOND


async def test_a_pause_opens_a_span_and_a_resume_closes_it_with_its_count(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create()
    clock.step(2 * MINUTE)
    await ledger.jobs.set_enabled("job", enabled=False)
    [span] = await ledger.spans_of(job)
    assert (span.after, span.until, span.count, span.reason, span.version) == (clock.now(), None, None, "paused", 2)
    assert (await ledger.row_of(job)).next_run is None
    clock.step(60 * MINUTE)
    ledger.heard.queued.clear()
    resumed = await ledger.jobs.set_enabled("job", enabled=True)
    [span] = await ledger.spans_of(job)
    assert (span.until, span.count) == (NOON + 62 * MINUTE, 60)
    assert resumed.next_run == NOON + 63 * MINUTE
    assert ledger.heard.queued == []
    await every_instant_is_accounted_for(ledger, job, minutes(NOON + MINUTE, 62))


async def test_a_resume_floods_nothing(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(schedule="* * * * * *", enabled=False)
    clock.step(timedelta(days=30))
    await ledger.jobs.set_enabled("job", enabled=True)
    assert await ledger.runs_of(job) == []
    [span] = await ledger.spans_of(job)
    assert span.count == 30 * 86_400
    clock.step(SECOND)
    claims = await ledger.claim(clock.now(), job)
    assert len(claims.started) == 1


async def test_a_change_during_a_pause_counts_each_part_by_its_own_schedule(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(enabled=False)
    clock.step(10 * MINUTE)
    await ledger.patch("job", schedule="*/5 * * * *")
    clock.step(10 * MINUTE)
    await ledger.jobs.set_enabled("job", enabled=True)
    spans = await ledger.spans_of(job)
    assert [(span.version, span.count, span.reason) for span in spans] == [(1, 10, "paused"), (2, 2, "paused")]
    assert spans[0].until == spans[1].after == NOON + 10 * MINUTE


async def test_a_delete_during_a_pause_closes_the_span(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(enabled=False)
    clock.step(10 * MINUTE)
    await ledger.jobs.delete("job")
    [span] = await ledger.spans_of(job)
    assert (span.until, span.count) == (NOON + 10 * MINUTE, 10)


async def test_an_instant_that_is_due_at_the_very_moment_of_a_change_is_the_old_versions(
    ledger: Ledger, clock: FakeClock
) -> None:
    job = await ledger.create()
    clock.step(MINUTE)
    await ledger.jobs.set_enabled("job", enabled=False)
    clock.step(MINUTE)
    await ledger.jobs.set_enabled("job", enabled=True)
    clock.step(MINUTE)
    await ledger.claim(clock.now(), job)
    assert scheduled(await ledger.runs_of(job)) == [NOON + MINUTE, NOON + 3 * MINUTE]
    [span] = await ledger.spans_of(job)
    assert (span.after, span.until, span.count) == (NOON + MINUTE, NOON + 2 * MINUTE, 1)


async def test_many_changes_leave_no_gap(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(schedule="*/10 * * * * *")
    steps: list[dict[str, Any]] = [{"description": "a"}, {"enabled": False}, {"description": "b"}, {"enabled": True}]
    for number in range(24):
        clock.step(timedelta(seconds=17, microseconds=number))
        if number % 3 == 0 and (await ledger.row_of(job)).next_run is not None:
            await ledger.claims.claim(ME, [await ledger.candidate(job, clock.now())], roomy())
        await ledger.patch("job", **steps[number % 4] | {"labels": {"n": str(number)}})
    due = [NOON + timedelta(seconds=10 * each) for each in range(1, 24 * 17 // 10 + 1)]
    await every_instant_is_accounted_for(ledger, job, due)


async def test_a_job_that_cannot_be_read_can_be_mended_and_deleted(ledger: Ledger, clock: FakeClock) -> None:
    jobs = [await ledger.create(name) for name in ("mended", "deleted")]
    for job in jobs:
        await ledger.overwrite(job, schedule="of a later dialect")
    clock.step(10 * MINUTE)
    mended = await ledger.patch("mended", schedule="@hourly")
    assert mended.next_run == NOON + 60 * MINUTE
    await ledger.jobs.delete("deleted")
    for job in jobs:
        [span] = await ledger.spans_of(job)
        assert (span.until, span.count, span.reason) == (NOON + 10 * MINUTE, None, "unschedulable")
        assert span.after < NOON + MINUTE
        assert await ledger.runs_of(job) == []


async def test_a_manual_run_is_beside_the_schedule(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(enabled=False)
    clock.step(MINUTE)
    run = await ledger.runs.trigger("job")
    assert (run.trigger, run.state, run.scheduled_for, run.ledger_at) == ("manual", "pending", clock.now(), clock.now())
    assert ledger.heard.queued == [queued(run)]
    assert await ledger.runs.get(run.id) == run
    assert (await ledger.runs.trigger("job")).id != run.id
    await every_instant_is_accounted_for(ledger, job, [NOON + MINUTE])
