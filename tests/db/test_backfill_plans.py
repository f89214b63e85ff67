"""What is asked of backfills on a ledger that grew faster than autovacuum looks."""

from __future__ import annotations

from datetime import timedelta

import asyncpg

from app.db.partitions import ensure_partitions
from app.db.runs import RunFilter
from app.db.transaction import transaction
from app.domain.backfill import BackfillRequest
from app.domain.clock import FakeClock
from tests.db.building import MINUTE, NOON, Ledger
from tests.db.grown import TODAY, fill
from tests.db.plans import Node, explain, listening, most_read, touched


async def test_a_backfill_is_looked_for_where_it_stands_in_the_ledger(
    postgres: Ledger, admin: asyncpg.Connection, clock: FakeClock
) -> None:
    await fill(admin)
    await ensure_partitions(postgres.database, [NOON + timedelta(days=day) for day in range(-30, 15)])
    clock.step(MINUTE)
    wanted = BackfillRequest(since=NOON - timedelta(days=20), until=NOON, max=1000)
    with listening(postgres.database) as making:
        made, _ = await postgres.backfills.create("job-7", wanted)
    assert made.total == 1000
    with listening(postgres.database) as asking:
        await postgres.backfills.get(made.id)
        await postgres.backfills.page(None, None, 50)
        await postgres.runs.page(RunFilter(backfill_id=made.id), None, 50)
    with listening(postgres.database) as canceling:
        await postgres.backfills.cancel(made.id)
    looked = [each for each in (*making, *asking, *canceling) if "job_runs" in each[0] and "pg_" not in each[0]]
    plans = {each[0]: await explain(admin, each) for each in looked}
    assert max(most_read(nodes) for nodes in plans.values()) <= 2000
    for statement, nodes in plans.items():
        if "union" not in statement.lower():
            assert _days(nodes) <= {TODAY}, statement


def _days(nodes: list[Node]) -> set[str]:
    return {name for name in touched(nodes) if name.startswith("job_runs_")}


async def test_what_needs_no_run_is_found_without_reading_all_that_a_job_has_run(
    postgres: Ledger, admin: asyncpg.Connection
) -> None:
    await fill(admin)
    job = await postgres.jobs.get("job-7")
    await admin.execute(_OFTEN.format(at=NOON.isoformat(), uid=job.uid))
    asked = [NOON - timedelta(seconds=each) for each in range(100, 0, -1)]
    async with transaction(postgres.database) as tx:
        with listening(postgres.database) as sent:
            assert await tx.backfills.need_no_run(job.uid, asked) == set(asked)
    assert most_read(await explain(admin, sent[0])) <= 300


_OFTEN = """
INSERT INTO job_runs (id, ledger_at, job_id, job_name, job_version, scheduled_for, trigger, state, due_at, attempt)
SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '80008000000000000007')::uuid, at,
       '{uid}', 'job-7', 1, at, 'schedule', 'succeeded', at, 1
FROM (SELECT '{at}'::timestamptz - i * interval '1 second' AS at FROM generate_series(1, 20000) i) v
"""
