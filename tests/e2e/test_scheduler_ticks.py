"""One replica's loops over a real database, in time that the test moves."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from app.domain.clock import FakeClock
from app.domain.policies import Overlap, Policies
from app.domain.run import Outcome
from app.domain.span import PAUSED, UNSCHEDULABLE
from tests.db.building import every_instant_is_accounted_for, opened, scheduled, states
from tests.unit.scheduler.building import NOON, SECOND
from tests.unit.scheduler.replica import Replica, ServerClock, running

SECONDLY = "* * * * * *"


async def test_each_instant_is_called_once_and_the_ledger_says_so(replica: Replica) -> None:
    job = await replica.create(schedule=SECONDLY)
    await replica.pass_time(10, step=0.25)
    instants = [NOON + n * SECOND for n in range(1, 11)]
    assert [call.scheduled_for for call in replica.target.calls] == instants
    await replica.pass_time(0.5, step=0.25)
    runs = await replica.ledger.runs_of(job)
    assert (scheduled(runs), set(states(runs))) == (instants, {"succeeded"})
    assert [(run.attempt, run.started_at, run.owner) for run in runs] == [
        (1, at, replica.service.replica) for at in instants
    ]
    row = await replica.ledger.row_of(job)
    assert (row.last_run, row.last_success, row.last_error) == (instants[-1], instants[-1], None)


async def test_an_endpoint_that_fails_is_told_by_run_and_job(replica: Replica) -> None:
    replica.target.answer = lambda _: Outcome(error="503 Service Unavailable", status_code=503)
    job = await replica.create()
    await replica.pass_time(60, step=10)
    await replica.recorded(1)
    run = await replica.ledger.run_of(job)
    row = await replica.ledger.row_of(job)
    assert (run.state, run.status_code, run.error) == ("failed", 503, "503 Service Unavailable")
    assert (row.last_error, row.last_success) == ("503 Service Unavailable", None)


async def test_an_edit_calls_the_new_endpoint_from_then_on(replica: Replica) -> None:
    job = await replica.create(schedule=SECONDLY)
    await replica.pass_time(3)
    await replica.jobs.edit("job", lambda old: replace(old.definition(), endpoint="http://two.example/hook"))
    await replica.pass_time(3)
    assert [call.endpoint for call in replica.target.calls] == ["http://one.example/hook"] * 3 + [
        "http://two.example/hook"
    ] * 3
    assert [call.job_version for call in replica.target.calls] == [1] * 3 + [2] * 3
    await every_instant_is_accounted_for(replica.ledger, job, [NOON + n * SECOND for n in range(1, 7)])


async def test_a_new_schedule_replaces_the_old_one_whole(replica: Replica) -> None:
    job = await replica.create(schedule=SECONDLY)
    await replica.pass_time(2)
    await replica.jobs.edit("job", lambda old: replace(old.definition(), schedule="*/10 * * * * *"))
    await replica.pass_time(28)
    instants = [NOON + n * SECOND for n in (1, 2, 10, 20, 30)]
    assert [call.scheduled_for for call in replica.target.calls] == instants
    await every_instant_is_accounted_for(replica.ledger, job, instants)


async def test_a_pause_ends_the_calls_and_a_resume_begins_them_without_a_flood(replica: Replica) -> None:
    job = await replica.create(schedule=SECONDLY)
    await replica.pass_time(2)
    await replica.jobs.set_enabled("job", enabled=False)
    await replica.pass_time(300, step=10)
    assert len(replica.target.calls) == 2
    await replica.jobs.set_enabled("job", enabled=True)
    await replica.pass_time(2)
    assert [call.scheduled_for for call in replica.target.calls][2:] == [NOON + n * SECOND for n in (303, 304)]
    await every_instant_is_accounted_for(replica.ledger, job, [NOON + n * SECOND for n in range(1, 305)])
    [span] = await replica.ledger.spans_of(job)
    assert (span.reason, span.count) == (PAUSED, 300)


async def test_a_delete_ends_the_calls(replica: Replica) -> None:
    await replica.create(schedule=SECONDLY)
    await replica.pass_time(3)
    await replica.jobs.delete("job")
    await replica.pass_time(10)
    assert (len(replica.target.calls), len(replica.service.entries)) == (3, 0)


async def test_a_name_that_is_deleted_and_created_again_is_another_job(replica: Replica) -> None:
    await replica.create(schedule=SECONDLY)
    await replica.pass_time(2)
    await replica.jobs.delete("job")
    again = await replica.create(schedule=SECONDLY)
    await replica.pass_time(2)
    assert [call.job_id == again.uid for call in replica.target.calls] == [False, False, True, True]


async def test_a_manual_run_is_called_at_once_also_of_a_paused_job(replica: Replica) -> None:
    await replica.create(enabled=False)
    run = await replica.runs.trigger("job")
    [call] = await replica.target.wait_for(1)
    assert (call.run_id, call.trigger) == (run.id, "manual")
    await replica.recorded(1)
    assert (await replica.runs.get(run.id)).state == "succeeded"


async def test_a_job_that_ends_is_forgotten(replica: Replica) -> None:
    job = await replica.create(schedule=SECONDLY, ends_at=NOON + 3 * SECOND)
    await replica.pass_time(10)
    assert (len(replica.target.calls), len(replica.service.entries)) == (3, 0)
    assert (await replica.ledger.row_of(job)).next_run is None


async def test_a_job_that_cannot_be_planned_is_set_aside_and_the_others_go_on(replica: Replica) -> None:
    """As after a downgrade: what it says meant something to a later release."""
    poisoned = await replica.create(name="poisoned", schedule=SECONDLY)
    await replica.ledger.overwrite(poisoned, schedule="every now and then", version=2)
    replica.service.jobs_changed([poisoned.id])
    healthy = await replica.create(name="healthy", schedule=SECONDLY)
    await replica.pass_time(5)
    assert {call.job_name for call in replica.target.calls} == {"healthy"}
    row = await replica.ledger.row_of(poisoned)
    assert (row.next_run, bool(row.problem)) == (None, True)
    [span] = await replica.ledger.spans_of(poisoned)
    assert (span.reason, span.until) == (UNSCHEDULABLE, None)
    await every_instant_is_accounted_for(replica.ledger, healthy, [NOON + n * SECOND for n in range(1, 6)])


async def test_after_downtime_the_latest_runs_and_a_long_hole_is_a_span(
    database_url: str, clock: FakeClock, server: ServerClock
) -> None:
    async with opened(database_url, server) as earlier:
        job = await earlier.create(schedule=SECONDLY, policies=Policies(overlap=Overlap.ALLOW))
    await clock.advance(timedelta(days=3))
    now = server.now()
    async with running(database_url, clock, server) as replica:
        await replica.target.wait_for(61)
        runs = await replica.ledger.runs_of(job)
        due = [(run.scheduled_for, run.trigger) for run in runs if run.state != "missed"]
        assert due == [(now - 61 * SECOND, "catch_up")] + [(now - n * SECOND, "schedule") for n in range(60, -1, -1)]
        assert states(runs).count("missed") == 99
        [span] = await replica.ledger.spans_of(job)
        assert span.count == 3 * 86_400 - 161


async def test_a_run_that_waits_for_its_host_is_pending_and_holds_no_place_of_another(
    database_url: str, clock: FakeClock, server: ServerClock
) -> None:
    async with running(database_url, clock, server, concurrency=3, per_host_concurrency=2) as replica:
        replica.target.holding = True
        slow = [await replica.create(name=f"slow-{n}", endpoint="http://slow.example/") for n in range(4)]
        quick = await replica.create(name="quick", endpoint="http://quick.example/")
        await replica.pass_time(60, step=5)
        await replica.target.wait_for(3)
        found = [(await replica.ledger.run_of(job)).state for job in slow]
        assert sorted(found) == ["pending", "pending", "running", "running"]
        assert (await replica.ledger.run_of(quick)).state == "running"
        replica.target.holding = False
        replica.target.release()
        await replica.recorded(5)
        assert {(await replica.ledger.run_of(job)).state for job in slow} == {"succeeded"}
