"""The hot statements on a ledger that grew faster than autovacuum looks: 50,000 jobs, 100,000 runs of today."""

from __future__ import annotations

from datetime import timedelta

import asyncpg
import pytest
from sqlalchemy import text

from app.db.partitions import ensure_partitions
from app.db.runs import RunFilter
from app.db.tables import ACTIVE
from app.domain.claim import Queued
from app.domain.clock import FakeClock
from app.service.limits import LimitService
from tests.db.building import ME, MINUTE, NOON, Ledger, ended, opened, room_for
from tests.db.grown import RUNS, TODAY, fill
from tests.db.plans import Sent, explain, listening, most_read, touched


async def test_hot_statements_look_at_the_rows_that_they_are_about(
    postgres: Ledger, admin: asyncpg.Connection, clock: FakeClock
) -> None:
    await fill(admin)
    await postgres.replicas.join(ME, "here")
    for _ in range(2):  # the second time there are excerpts to forget
        clock.step(MINUTE)
        sent = await _one_minute(postgres, clock)
    assert len(sent) >= 15
    for each in sent:
        assert most_read(await explain(admin, each)) <= 1000, each[0]


async def test_a_backlog_does_not_slow_what_is_started_and_recorded(
    postgres: Ledger, admin: asyncpg.Connection
) -> None:
    await fill(admin, "pending")
    queued = await postgres.starts.pending(200, [], timedelta(0))
    with listening(postgres.database) as sent:
        started = (await postgres.starts.start(ME, queued)).begun
        await postgres.record(*[ended(run) for run in started])
    assert len(started) == 200
    for each in sent:
        assert most_read(await explain(admin, each)) <= 200, each[0]


async def test_a_batch_from_a_long_queue_is_found_by_its_keys_in_a_table_that_has_just_grown(
    postgres: Ledger, admin: asyncpg.Connection, clock: FakeClock
) -> None:
    """Each day begins with one. What lies between the first and the last of the batch is not compared with each."""
    await postgres.populate(100)
    await ensure_partitions(postgres.database, [NOON])
    await admin.execute(_BACKLOG.format(at=(NOON - timedelta(hours=3)).isoformat(), step=1000))
    await admin.execute("ANALYZE job_runs")
    await admin.execute(_BACKLOG.format(at=NOON.isoformat(), step=100))
    clock.step(timedelta(hours=3))
    found = await admin.fetch(_ONE_EACH, NOON)
    queued = [Queued(row["id"], row["ledger_at"], "one.example:80") for row in found]
    with listening(postgres.database) as sent:
        started = (await postgres.starts.start(ME, queued)).begun
        await postgres.record(*[ended(run) for run in started])
    assert len(started) == 100
    for each in sent:
        assert most_read(await explain(admin, each)) <= 12_000, each[0]


async def test_a_batch_is_found_by_its_keys_in_a_day_that_has_no_statistics(
    postgres: Ledger, admin: asyncpg.Connection, clock: FakeClock
) -> None:
    """As each day is in its first minute."""
    await postgres.populate(100)
    await ensure_partitions(postgres.database, [NOON])
    await admin.execute(_BACKLOG.format(at=NOON.isoformat(), step=100))
    clock.step(timedelta(hours=3))
    found = await admin.fetch(_ONE_EACH + "LIMIT 50", NOON)
    queued = [Queued(row["id"], row["ledger_at"], "one.example:80") for row in found]
    with listening(postgres.database) as sent:
        started = (await postgres.starts.start(ME, queued)).begun
        await postgres.record(*[ended(run) for run in started])
    assert len(started) == 50
    for each in sent:
        assert most_read(await explain(admin, each)) <= 200, each[0]


_BACKLOG = """
INSERT INTO job_runs (id, ledger_at, job_id, job_name, job_version, scheduled_for, trigger, state, due_at, attempt)
SELECT gen_random_uuid(), at, uid, name, 1, at, 'schedule', 'pending', at, 0
FROM cron_jobs, (SELECT '{at}'::timestamptz + i * interval '1 second' AS at FROM generate_series(1, 10000, {step}) i) v
"""
_ONE_EACH = """
SELECT DISTINCT ON (job_id) id, ledger_at FROM job_runs WHERE ledger_at > $1
ORDER BY job_id, hashtext(job_id::text || ledger_at::text)
"""


@pytest.mark.parametrize("analyzed", [False, True])
async def test_what_is_active_is_read_once_for_a_whole_claim_from_every_day(
    postgres: Ledger, admin: asyncpg.Connection, clock: FakeClock, *, analyzed: bool
) -> None:
    """Not once for each job in each day: these are 250 jobs in 45 days."""
    await fill(admin)
    await ensure_partitions(postgres.database, [NOON + timedelta(days=day) for day in range(-30, 15)])
    for day in range(-30, 0):
        past = (NOON + timedelta(days=day)).isoformat()
        await admin.execute(RUNS.format(at=past, state="succeeded") + "WHERE name LIKE 'job-48%'")
    await admin.execute("UPDATE job_runs SET state = 'running' WHERE job_name LIKE 'job-49%'")
    if analyzed:
        await admin.execute("ANALYZE job_runs")
    clock.step(MINUTE)
    due = [each for each in await postgres.candidates(clock.now()) if each.job.next_run <= clock.now()]
    with listening(postgres.database) as sent:
        claims = await postgres.claims.claim(ME, due[:250], room_for(250))
    assert len(claims.won) == 250
    assert claims.started == []
    assert len(sent) == 4
    [counting] = [each for each in sent if ACTIVE in each[0]]
    nodes = await explain(admin, counting)
    assert max(node["Actual Loops"] for node in nodes if "Relation Name" in node) == 1
    assert most_read(nodes) <= 5000


async def test_ten_thousand_runs_that_are_held_up_slow_nobody(postgres: Ledger, admin: asyncpg.Connection) -> None:
    await fill(admin, "pending")
    await admin.execute("UPDATE job_runs SET attempt = 0, waiting_for = 'limit a' WHERE job_name LIKE 'job-1%'")
    await admin.execute("UPDATE job_runs SET attempt = 0 WHERE waiting_for IS NULL")
    await admin.execute("INSERT INTO limits VALUES ('a', 1, NULL, 0, now(), now(), now())")
    with listening(postgres.database) as sent:
        queued = await postgres.starts.pending(200, [], timedelta(0))
        started = (await postgres.starts.start(ME, queued)).begun
    assert len(started) > 0
    for each in sent:
        assert most_read(await explain(admin, each)) <= 400, each[0]
    assert len((await postgres.starts.opened(200, [])).runs) == 1


async def test_no_plan_is_kept_from_when_a_table_was_small(postgres_url: str, clock: FakeClock) -> None:
    async with opened(postgres_url, clock, pool=1) as ledger:
        await ledger.populate(2)
        await ledger.replicas.join(ME, "here")
        for _ in range(8):
            clock.step(MINUTE)
            await _one_minute(ledger, clock)
        async with ledger.database.read() as connection:
            kept = await connection.execute(text(_GENERIC))
            assert [row.statement for row in kept] == []


_GENERIC = """
SELECT statement FROM pg_prepared_statements
WHERE generic_plans > 0 AND (cardinality(parameter_types) > 0 OR statement LIKE 'SELECT%job_runs%')
"""


async def test_what_is_asked_each_second_never_reads_the_day(postgres: Ledger, admin: asyncpg.Connection) -> None:
    """When the day's first runs were counted, all of them were being called, and some held up."""
    await fill(admin, "running")
    await admin.execute("UPDATE job_runs SET owner = $1", ME)
    await admin.execute("UPDATE job_runs SET limit_key = 'db', waiting_for = 'limit:db' WHERE job_name LIKE 'job-49%'")
    await admin.execute("ANALYZE job_runs")
    await admin.execute("UPDATE job_runs SET state = 'succeeded', waiting_for = NULL")
    limits = LimitService(postgres.database)
    await limits.put("db", 1, None)
    with listening(postgres.database) as sent:
        await postgres.cancels.asked(ME)
        await postgres.replicas.bury(timedelta(minutes=5))
        await postgres.starts.opened(100, [])
        await limits.get("db")
    about_runs = [each for each in sent if "job_runs" in each[0]]
    assert len(about_runs) == 5
    for each in about_runs:
        assert most_read(await explain(admin, each)) <= 10, each[0]


async def test_one_run_is_looked_for_in_one_partition(
    postgres: Ledger, admin: asyncpg.Connection, clock: FakeClock
) -> None:
    job = await postgres.create()
    clock.step(MINUTE)
    run = (await postgres.running(clock.now(), job)).call.run_id
    with listening(postgres.database) as sent:
        found = await postgres.runs.get(run)
    assert found.id == run
    assert touched(await explain(admin, sent[0])) == {TODAY}


async def test_what_is_written_is_looked_for_in_the_days_that_it_is_of(
    postgres: Ledger, admin: asyncpg.Connection, clock: FakeClock
) -> None:
    await postgres.populate(3)
    for _ in range(2):
        clock.step(MINUTE)
        sent = await _one_minute(postgres, clock)
    written = [each for each in sent if each[0].startswith("UPDATE job_runs")]
    assert len(written) == 3
    for each in written:
        assert touched(await explain(admin, each)) <= {TODAY, "job_runs"}


async def test_a_delete_reads_what_is_pending_and_not_all_that_the_job_ever_ran(
    postgres: Ledger, admin: asyncpg.Connection
) -> None:
    job = await postgres.create()
    await postgres.runs.trigger(job.name)
    await admin.execute(_HISTORY.format(at=NOON.isoformat()))
    await admin.execute("ANALYZE job_runs")
    with listening(postgres.database) as sent:
        await postgres.jobs.delete(job.name)
    about_runs = [each for each in sent if "job_runs" in each[0]]
    assert len(about_runs) >= 4
    for each in about_runs:
        assert most_read(await explain(admin, each)) <= 10, each[0]


_HISTORY = """
INSERT INTO job_runs (id, ledger_at, job_id, job_name, job_version, scheduled_for, trigger, state, due_at, attempt)
SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || left(md5(i::text), 20))::uuid,
       at, uid, name, 1, at, 'schedule', 'succeeded', at, 1
FROM cron_jobs, (SELECT i, '{at}'::timestamptz - i * interval '1 second' AS at FROM generate_series(1, 20000) i) v
"""


async def _one_minute(ledger: Ledger, clock: FakeClock) -> list[Sent]:
    """What a replica sends in the minute that begins now, the reading of jobs left out."""
    due = [each for each in await ledger.candidates(clock.now()) if each.job.next_run <= clock.now()]
    with listening(ledger.database) as sent:
        claims = await ledger.claims.claim(ME, due, room_for(len(due) // 2))
        queued = await ledger.starts.pending(1000, [], timedelta(0))
        started = (await ledger.starts.start(ME, queued)).begun
        calls = claims.started + started
        assert len(calls) == len(due)
        await ledger.record(*[ended(run, excerpt="fine") for run in calls])
        await ledger.replicas.owned(ME)
        await ledger.replicas.beat(ME)
        await ledger.starts.time_out()
        await ledger.starts.opened(10, [])
        await ledger.replicas.bury(timedelta(minutes=5))
        await ledger.rows.changed_since(NOON + timedelta(seconds=1))
        await ledger.runs.page(RunFilter(job_id=calls[0].call.job_id), None, 50)
        await ledger.runs.page(RunFilter(), calls[-1].call.run_id, 50)
    return sent
