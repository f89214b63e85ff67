"""Looking back over a ledger of a month, on PostgreSQL: what is read is what is told of."""

from __future__ import annotations

from datetime import timedelta

import asyncpg

from app.db.partitions import ensure_partitions
from app.domain.clock import FakeClock
from app.domain.explanation import Finding
from app.domain.job import PersistedJob
from app.domain.policies import Overlap, Policies
from app.service.explain import Asked
from tests.db.building import ME, MINUTE, NOON, OTHER, Ledger
from tests.db.plans import Sent, explain, listening, most_read, touched

DAYS = 30
_RUNS = """
INSERT INTO job_runs (id, ledger_at, job_id, job_name, job_version, scheduled_for, trigger, state, due_at, attempt,
                      started_at, finished_at, delayed_by)
SELECT (lpad(to_hex((extract(epoch FROM t) * 1000)::bigint), 12, '0') || '8' || substr(md5(t::text || {job}), 1, 3)
        || '8' || substr(md5(t::text || {job}), 4, 15))::uuid,
       t, '{uid}', 'job', 1, t, 'schedule', 'succeeded', t, 1, t, t + interval '70 seconds', 'job {uid}'
FROM generate_series('{start}'::timestamptz, '{end}'::timestamptz, interval '1 minute') t
"""
_REPLICAS = """
INSERT INTO replicas SELECT gen_random_uuid(), 'h', t, t + interval '50 seconds', true
FROM generate_series(1, 20000) i, LATERAL (SELECT '{start}'::timestamptz + i * interval '1 minute') v(t)
"""


async def a_month(ledger: Ledger, clock: FakeClock, admin: asyncpg.Connection) -> PersistedJob:
    """Two jobs, with a run each minute; and as many replicas as died in a month of restarts."""
    policies = Policies(overlap=Overlap.QUEUE)
    jobs = [await ledger.create(name, policies=policies) for name in ("job", "other")]
    await ensure_partitions(ledger.database, [NOON + timedelta(days=day) for day in range(DAYS + 1)])
    end = NOON + timedelta(days=DAYS)
    for number, job in enumerate(jobs):
        start = (NOON + MINUTE).isoformat()
        await admin.execute(_RUNS.format(job=number, uid=job.uid, start=start, end=end.isoformat()))
    clock.step(end - clock.now())
    await ledger.replicas.join(ME, "here")
    await admin.execute("ANALYZE")
    return jobs[0]


async def test_explaining_reads_what_it_tells_of(postgres: Ledger, admin: asyncpg.Connection, clock: FakeClock) -> None:
    job = await a_month(postgres, clock, admin)
    middle = NOON + timedelta(days=15)
    for asked, limit, days in (
        (Asked(middle), 1, {0, -1}),
        (Asked(middle, middle + timedelta(hours=5)), 500, {0, -1}),
    ):
        with listening(postgres.database) as sent:
            found, _ = await postgres.history.explain(job.name, asked, None, limit)
        assert {one.finding for one in found} == {Finding.ON_TIME}
        allowed = {f"job_runs_{middle + timedelta(days=day):%Y%m%d}" for day in days}
        for each in sent:
            await reads_little(admin, each, allowed)


async def reads_little(admin: asyncpg.Connection, sent: Sent, allowed: set[str]) -> None:
    nodes = await explain(admin, sent)
    if "ledger_at <> scheduled_for" not in sent[0]:  # that index is empty in every partition
        assert {each for each in touched(nodes) if each.startswith("job_runs_")} <= allowed, sent[0]
    assert most_read(nodes) <= 1500, sent[0]


async def test_versions_and_replicas_of_long_ago_slow_nobody(
    postgres: Ledger, admin: asyncpg.Connection, clock: FakeClock
) -> None:
    job = await a_month(postgres, clock, admin)
    await admin.execute(_REPLICAS.format(start=NOON.isoformat()))
    await admin.execute("ANALYZE replicas")
    await postgres.replicas.join(OTHER, "here")
    with listening(postgres.database) as sent:
        await postgres.replicas.bury(timedelta(seconds=30))
        await postgres.replicas.beat(ME)
    for each in sent:
        assert most_read(await explain(admin, each)) <= 10, each[0]
    assert (await postgres.history.explain(job.name, Asked(NOON + MINUTE), None, 1))[0][0].finding is Finding.ON_TIME
