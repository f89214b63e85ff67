"""A ledger that grew faster than autovacuum looks: 50,000 jobs, 100,000 runs of today."""

from __future__ import annotations

import asyncpg

from tests.db.building import NOON

TODAY = f"job_runs_{NOON:%Y%m%d}"
_JOBS = """
INSERT INTO cron_jobs (name, uid, schedule, endpoint, host, anchor, next_run, computed_under)
SELECT 'job-' || i, gen_random_uuid(), '* * * * *', 'http://one.example/', 'one.example:80', '{at}',
       '{at}'::timestamptz + (CASE WHEN i > 49000 THEN '1 minute' ELSE '1 day' END)::interval, 'dialect 001'
FROM generate_series(1, 50000) i
"""
RUNS = """
INSERT INTO job_runs (id, ledger_at, job_id, job_name, job_version, scheduled_for, trigger, state, due_at, attempt)
SELECT gen_random_uuid(), at, uid, name, 1, at, 'schedule', '{state}', at,
       CASE '{state}' WHEN 'pending' THEN 0 ELSE 1 END
FROM cron_jobs, (VALUES ('{at}'::timestamptz - interval '1 minute'), ('{at}'::timestamptz - interval '2 minutes')) v(at)
"""


async def fill(admin: asyncpg.Connection, state: str = "succeeded") -> None:
    days = "FROM ('2027-03-01 00:00+00') TO ('2027-03-02 00:00+00')"
    await admin.execute("ALTER TABLE cron_jobs SET (autovacuum_enabled = off)")
    await admin.execute(f"CREATE TABLE {TODAY} (LIKE job_runs INCLUDING ALL) WITH (autovacuum_enabled = off)")
    await admin.execute(f"ALTER TABLE job_runs ATTACH PARTITION {TODAY} FOR VALUES {days}")
    await admin.execute(f"CREATE TABLE job_attempts_20270301 PARTITION OF job_attempts FOR VALUES {days}")
    await admin.execute(_JOBS.format(at=NOON.isoformat()))
    await admin.execute(RUNS.format(at=NOON.isoformat(), state=state))
