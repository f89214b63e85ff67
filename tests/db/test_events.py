"""Each step in the life of a run and of a job is one event; what is no step is none."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import asyncpg

from app.db.trace_tables import events
from app.domain.clock import FakeClock
from app.domain.event import EventKind
from app.domain.policies import Misfire, MisfirePolicy, Policies
from app.domain.retry import Retry
from app.domain.run import State
from tests.db.accepting import say, waiting
from tests.db.building import ME, MINUTE, NOON, OTHER, Ledger, cut_off, ended, queued, roomy
from tests.db.telling import Reader, kinds_of
from tests.servers.postgres import plain_dsn

DUE = NOON + MINUTE


def test_every_state_of_a_run_has_its_kind() -> None:
    assert {f"run.{state}" for state in State} == {kind for kind in EventKind if kind.startswith("run.")}


async def test_a_run_that_succeeds(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create()
    clock.step(MINUTE)
    await ledger.record(ended(await ledger.running(DUE, job)))
    assert await kinds_of(ledger) == ["job.created", "run.running", "run.succeeded"]
    run = await ledger.run_of(job)
    created, running, succeeded = await ledger.table(events, job_name="job")
    assert (created.job_id, created.job_version, created.run_id) == (job.uid, 1, None)
    for event in (running, succeeded):
        assert (event.run_id, event.job_id, event.scheduled_for) == (run.id, job.uid, DUE)
        assert (event.trigger, event.attempt, event.reason) == ("schedule", 1, None)
    assert running.id < succeeded.id
    assert [kind for kind, _ in await Reader(ledger).read()] == ["job.created", "run.running", "run.succeeded"]


async def test_a_run_that_is_tried_again_and_fails_begins_a_failing_job_that_recovers(
    ledger: Ledger, clock: FakeClock
) -> None:
    job = await ledger.create(policies=Policies(retry=Retry(max_attempts=2, on=("5xx",), min_backoff_seconds=1)))
    clock.step(MINUTE)
    await ledger.record(ended(await ledger.running(DUE, job), error="status 500"))
    clock.step(timedelta(minutes=0.5))
    [again] = (await ledger.starts.start(ME, [queued(await ledger.run_of(job))])).begun
    await ledger.record(ended(again, error="status 500"))
    assert await kinds_of(ledger) == [
        *("job.created", "run.running", "run.pending", "run.running", "run.failed", "job.failing"),
    ]
    clock.step(MINUTE)
    before = (await ledger.table(events))[-1].id
    await ledger.record(ended(await ledger.running(DUE + MINUTE, job)))
    assert await kinds_of(ledger, after=before) == ["run.running", "run.succeeded", "job.recovered"]


async def test_a_run_that_is_cut_off_and_canceled(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create()
    clock.step(MINUTE)
    await ledger.record(cut_off(await ledger.running(DUE, job)))
    await ledger.runs.cancel((await ledger.run_of(job)).id, None)
    assert await kinds_of(ledger) == ["job.created", "run.running", "run.pending", "run.canceled"]
    assert (await ledger.table(events))[-1].reason == "canceled by hand"


async def test_runs_that_are_born_ended(ledger: Ledger, clock: FakeClock) -> None:
    """Of three instants that were missed the latest runs."""
    job = await ledger.create(policies=Policies(misfire=Misfire(policy=MisfirePolicy.SKIP, grace_seconds=0)))
    clock.step(MINUTE + timedelta(seconds=30))
    await ledger.claim(clock.now(), job)
    assert await kinds_of(ledger) == ["job.created", *(f"run.{run.state}" for run in await ledger.runs_of(job))]
    assert len(await ledger.runs_of(job)) == 1


async def test_an_overlap_that_is_skipped(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create()
    for number in range(1, 3):
        clock.step(MINUTE)
        await ledger.claim(NOON + MINUTE * number, job)
    assert await kinds_of(ledger) == ["job.created", "run.running", "run.skipped"]


async def test_a_run_that_waits_for_its_callback(ledger: Ledger, clock: FakeClock) -> None:
    _, started = await waiting(ledger, clock)
    await say(ledger, started, "heartbeat")
    assert await kinds_of(ledger) == ["job.created", "run.running", "run.waiting"]
    await say(ledger, started, "succeeded")
    assert (await kinds_of(ledger))[3:] == ["run.succeeded"]


async def test_a_run_that_is_pending_first(ledger: Ledger) -> None:
    await ledger.create(schedule="@manual")
    await ledger.runs.trigger("job")
    assert await kinds_of(ledger) == ["job.created", "run.pending"]


async def test_a_dead_replicas_runs(ledger: Ledger, clock: FakeClock) -> None:
    """One row for each run: the takeover is its step back to pending."""
    await ledger.replicas.join(OTHER, "host")
    job = await ledger.create()
    clock.step(MINUTE)
    await ledger.running(DUE, job, replica=OTHER)
    clock.step(MINUTE)
    await ledger.replicas.bury(MINUTE / 2)
    assert await kinds_of(ledger) == ["job.created", "run.running", "run.pending"]


async def test_the_life_of_a_job(ledger: Ledger) -> None:
    await ledger.create()
    await ledger.jobs.set_enabled("job", enabled=False)
    await ledger.jobs.set_enabled("job", enabled=True)
    await ledger.patch("job", description="new")
    await ledger.jobs.delete("job")
    assert await kinds_of(ledger) == [
        *("job.created", "job.changed", "job.changed", "job.changed", "job.deleted"),
    ]
    versions = [row.job_version for row in await ledger.table(events)]
    assert versions == [1, 2, 3, 4, 4]


async def test_a_job_that_has_run_its_course(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(schedule=f"@at {DUE:%Y-%m-%dT%H:%M:%SZ}")
    clock.step(MINUTE)
    await ledger.claim(DUE, job)
    assert sorted(await kinds_of(ledger)) == ["job.completed", "job.created", "run.running"]


async def test_a_delete_ends_what_is_pending_first(ledger: Ledger) -> None:
    await ledger.create(schedule="@manual")
    await ledger.runs.trigger("job")
    await ledger.jobs.delete("job")
    assert await kinds_of(ledger) == ["job.created", "run.pending", "run.canceled", "job.deleted"]


async def test_claims_and_records_make_no_events_of_the_job(ledger: Ledger, clock: FakeClock) -> None:
    await ledger.populate(20)
    clock.step(MINUTE)
    before = (await ledger.table(events))[-1].id
    claims = await ledger.claims.claim(ME, await ledger.candidates(DUE), roomy())
    await ledger.record(*(ended(started) for started in claims.started))
    kinds = [row.kind for row in await ledger.table(events) if row.id > before]
    assert kinds == ["run.running"] * 20 + ["run.succeeded"] * 20


async def test_what_changes_no_state_is_no_event(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create()
    clock.step(MINUTE)
    await ledger.claim(DUE, job)
    before = await kinds_of(ledger)
    await ledger.execute("UPDATE job_runs SET due_at = ledger_at, response_excerpt = 'x', cancel_reason = 'y'")
    await ledger.execute("UPDATE cron_jobs SET last_error = 'x', next_run = NULL, runs_made = 7")
    await ledger.execute("UPDATE job_runs SET state = state")
    assert await kinds_of(ledger) == before


async def test_a_claim_that_finds_the_run_made_tells_nothing_of_it(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create()
    clock.step(MINUTE)
    await ledger.claim(DUE, job)
    await ledger.overwrite(job, next_run=DUE)
    await ledger.claim(DUE, job, replica=OTHER)
    assert await kinds_of(ledger) == ["job.created", "run.running"]


async def test_what_is_rolled_back_is_no_event(ledger: Ledger) -> None:
    await ledger.create()
    async with ledger.database.rehearsal().begin() as connection:
        await connection.exec_driver_sql("DELETE FROM cron_jobs")
    assert await kinds_of(ledger) == ["job.created"]


async def test_another_programs_writes_are_events_too(ledger: Ledger) -> None:
    """The seed's knows neither versions nor events."""
    await ledger.create()
    await ledger.execute("UPDATE cron_jobs SET schedule = '@hourly'")
    await ledger.execute("UPDATE cron_jobs SET enabled = false")
    await ledger.execute("UPDATE cron_jobs SET problem = 'odd', failing = true, completed = true")
    await ledger.execute("DELETE FROM cron_jobs")
    assert await kinds_of(ledger) == ["job.created", "job.changed", "job.changed", "job.changed", "job.deleted"]


async def test_another_program_needs_no_right_to_write_events(postgres: Ledger) -> None:
    role = f"guest_{uuid4().hex}"
    await postgres.create(schedule="@manual")
    connection = await asyncpg.connect(plain_dsn(postgres.url))
    try:
        await connection.execute(f"CREATE ROLE {role}; GRANT SELECT, UPDATE ON cron_jobs TO {role}")
        await connection.execute(f"SET ROLE {role}; SET search_path = pg_catalog")
        await connection.execute("UPDATE public.cron_jobs SET enabled = false")
        await connection.execute(f"RESET ROLE; DROP OWNED BY {role}; DROP ROLE {role}")
    finally:
        await connection.close(timeout=5)
    assert await kinds_of(postgres) == ["job.created", "job.changed"]
