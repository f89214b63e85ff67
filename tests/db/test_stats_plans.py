"""Numbers over a ledger of a month, on PostgreSQL: what is read is what is counted."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

import asyncpg
import pytest

from app.db.partitions import ensure_partitions
from app.domain.clock import FakeClock
from app.domain.stats import Stats
from app.service.stats import StatsAsked
from tests.db.building import MINUTE, NOON, Ledger
from tests.db.plans import Node, explain, listening, most_read, touched

DAYS, OFTEN = 14, 8
HOUR = timedelta(hours=1)
END = NOON + timedelta(days=DAYS)
_RUNS = """
INSERT INTO job_runs (id, ledger_at, job_id, job_name, job_version, scheduled_for, trigger, state, due_at, attempt,
                      started_at, finished_at)
SELECT (lpad(to_hex((extract(epoch FROM t) * 1000)::bigint), 12, '0') || '8' || substr(md5(t::text || uid), 1, 3)
        || '8' || substr(md5(t::text || uid), 4, 15))::uuid,
       t, uid, name, 1, t, 'schedule', 'succeeded', t, 1, t + interval '1 second', t + interval '3 seconds'
FROM cron_jobs, generate_series('{start}'::timestamptz, '{end}'::timestamptz, interval '1 minute') t
WHERE name <> 'rare' OR date_trunc('hour', t, 'UTC') = t
"""
_OTHERS = """
INSERT INTO due_counts SELECT hour, gen_random_uuid(), 1 FROM due_counts, generate_series(1, 30);
ANALYZE due_counts
"""
_WAIT = "UPDATE cron_jobs SET next_run = '{at}'"


@pytest.fixture(autouse=True)
async def a_fortnight(postgres: Ledger, clock: FakeClock, admin: asyncpg.Connection) -> None:
    """Of jobs that were due each minute, and ran, and one that was due each hour."""
    await postgres.auditor.audit()
    await postgres.create("rare", "@hourly")
    for number in range(OFTEN):
        await postgres.create(f"often-{number}")
    await ensure_partitions(postgres.database, [NOON + timedelta(days=day) for day in range(DAYS + 1)])
    await admin.execute(_RUNS.format(start=(NOON + MINUTE).isoformat(), end=END.isoformat()))
    await admin.execute(_WAIT.format(at=(END + HOUR).isoformat()))
    clock.step(END + MINUTE - clock.now())
    await postgres.auditor.audit_until(END + MINUTE)
    await admin.execute("VACUUM ANALYZE")


async def plans(ledger: Ledger, admin: asyncpg.Connection, asked: StatsAsked) -> tuple[Stats, list[list[Node]]]:
    with listening(ledger.database) as sent:
        found, _ = await ledger.stats.stats(asked, None, 5)
    await admin.execute("SET enable_bitmapscan = off")  # as the service has it
    return found, [await explain(admin, each) for each in sent if each[0].startswith("SELECT")]


def runs_read(nodes: Iterable[Node]) -> set[str]:
    return {name for name in touched(list(nodes)) if name.startswith("job_runs")}


async def test_a_day_of_all_jobs_reads_its_days(postgres: Ledger, admin: asyncpg.Connection) -> None:
    found, made = await plans(postgres, admin, StatsAsked(since=END - timedelta(days=1)))
    assert (found.total.due, sum(found.total.absent.values())) == (25 + (24 * 60 + 1) * OFTEN, 0)
    days = {f"job_runs_{END - timedelta(days=day):%Y%m%d}" for day in (0, 1)}
    for nodes in made:
        assert runs_read(nodes) <= days
        assert most_read(nodes) <= 25 * 60 * (OFTEN + 1), nodes
    counts = [node for nodes in made for node in nodes if node.get("Relation Name") == "due_counts"]
    assert counts
    assert {node["Node Type"] for node in counts} <= {"Index Scan", "Index Only Scan"}


async def test_a_fortnight_of_one_job_reads_its_runs(postgres: Ledger, admin: asyncpg.Connection) -> None:
    await admin.execute(_OTHERS)
    found, made = await plans(postgres, admin, StatsAsked(since=NOON, job="rare"))
    assert (found.total.due, sum(found.total.absent.values())) == (24 * DAYS, 0)
    for nodes in made:
        assert most_read(nodes) <= 24 * DAYS, nodes
        scans = [node for node in nodes if node.get("Relation Name", "").startswith(("job_runs", "due_counts"))]
        assert {node["Node Type"] for node in scans} <= {"Index Scan", "Index Only Scan"}
        assert {node["Index Name"].partition("_job_id")[1] for node in scans if node["Actual Loops"]} <= {"_job_id"}
