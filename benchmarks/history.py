"""Questions about a million runs: how long the service takes to answer each, over HTTP, on PostgreSQL.

A thousand jobs, due each hour or each half hour, whose runs, attempts and counts are made by SQL; one replica as a
process, which answers and runs nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2

from app.db.engine import connect
from app.db.partitions import ensure_partitions
from benchmarks.every_second import execute
from tests.servers.postgres import PostgresServer, running_postgres
from tests.servers.replica import Replica

JOBS, DAYS, ALLOWED_MS = 1000, 32, 200
SETTINGS = {"ROLE": "api", "LOG_LEVEL": "warning", "RETENTION_DAYS": "40"}

VERSIONS = "UPDATE job_versions SET effective_from = '{first}'"
RUNS = """
WITH due AS (
  SELECT uid, name, t FROM cron_jobs,
    generate_series('{first}'::timestamptz + interval '1 minute' * (id % 30), '{now}', interval '30 minutes') t
  WHERE (schedule LIKE '%,%' OR extract(minute FROM t) < 30) AND t < '{now}'
), made AS (
  INSERT INTO job_runs (id, ledger_at, job_id, job_name, job_version, scheduled_for, trigger, state, due_at, attempt,
                        started_at, finished_at, status_code)
  SELECT (lpad(to_hex((extract(epoch FROM t) * 1000)::bigint), 12, '0') || '8' || substr(key, 1, 3)
          || '8' || substr(key, 4, 15))::uuid, t, uid, name, 1, t, 'schedule',
         CASE WHEN dice < 0.98 THEN 'succeeded' ELSE 'failed' END, t, 1,
         t + interval '1 second' * dice, t + interval '1 second' * (dice + random()), 200
  FROM due, LATERAL (SELECT md5(uid::text || t::text), random()) v(key, dice)
  RETURNING id, ledger_at)
INSERT INTO job_attempts (run_id, ledger_at, fence, attempt, outcome, discarded, ended_at)
SELECT id, ledger_at, 1, 1, 'succeeded', false, ledger_at FROM made
"""
COUNTS = """
INSERT INTO due_counts (hour, job_id, due)
SELECT date_trunc('hour', ledger_at, 'UTC'), job_id, count(*) FROM job_runs GROUP BY 1, 2 ORDER BY 1, 2
"""
AUDITED = "INSERT INTO audits (id, counted_from, counted_until) VALUES (1, '{first}', '{now}')"


async def fill(url: str, replica: Replica, now: datetime) -> int:
    """The number of runs that were made."""
    async with httpx2.AsyncClient(base_url=replica.url, timeout=30) as client:
        for number in range(1, JOBS + 1):
            minute = number % 30
            often = f"{minute},{minute + 30} * * * *" if number % 10 < 3 else f"{minute} * * * *"
            job = {"name": f"job-{number:04}", "schedule": often, "endpoint": "http://127.0.0.1:9/"}
            answer = await client.post("/v1/jobs", json=job)
            assert answer.status_code == 201, answer.text
    first = now.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=DAYS)
    database = connect(url, patience=None)
    await ensure_partitions(database, [first + timedelta(days=day) for day in range(DAYS + 1)])
    await database.close()
    for statement in (VERSIONS, RUNS, COUNTS, AUDITED):
        await execute(url, statement.format(first=first.isoformat(), now=now.isoformat()))
    await execute(url, "VACUUM ANALYZE")
    await execute(url, "CHECKPOINT")
    made: int = await execute(url, "SELECT count(*) FROM job_runs")
    return made


async def ask(replica: Replica, calls: int, now: datetime) -> dict[str, dict[str, float]]:
    """Each question so many times, of other jobs each time."""
    found: dict[str, list[float]] = {}
    async with httpx2.AsyncClient(base_url=replica.url, timeout=30) as client:
        for call in range(-3, calls):
            for what, path in questions(call, now).items():
                began = time.perf_counter()
                answer = await client.get(path)
                took = time.perf_counter() - began
                assert answer.status_code == 200, answer.text
                assert check(what, answer.json()), answer.text[:1000]
                if call >= 0:
                    found.setdefault(what, []).append(took * 1000)
    return {what: percentiles(times) for what, times in found.items()}


def questions(call: int, now: datetime) -> dict[str, str]:
    job = f"job-{call * 7 % JOBS + 1:04}"
    week, month = (now - timedelta(days=days) for days in (7, 30))
    return {
        "explain of 100 instants": f"/v1/jobs/{job}/explain?at={stamp(week)}/{stamp(now)}&limit=100",
        "runs of all jobs": "/v1/runs?limit=100",
        "runs of one job": f"/v1/jobs/{job}/runs?limit=100",
        "stats of a day, all jobs": "/v1/stats",
        "stats of 30 days, one job": f"/v1/stats?since={stamp(month)}&job={job}",
        "forecast of a day": "/v1/forecast?hours=24",
    }


def check(what: str, answer: dict[str, Any]) -> bool:
    """That it is an answer about these runs."""
    if what.startswith("stats"):
        total = answer["total"]
        return bool(total["due"] > 500 and total["succeeded"] + total["failed"] == total["due"])
    return len(answer.get("items", answer.get("busiest", ()))) >= 5


def percentiles(times: list[float]) -> dict[str, float]:
    ranked = sorted(times)
    return {"p50_ms": round(ranked[len(ranked) // 2], 1), "p99_ms": round(ranked[len(ranked) * 99 // 100], 1)}


def stamp(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


async def measure(url: str, calls: int) -> dict[str, Any]:
    replica = Replica(url, SETTINGS)
    await replica.start()
    try:
        now = datetime.now(UTC).replace(second=0, microsecond=0)
        runs = await fill(url, replica, now)
        load = os.getloadavg()[0]
        return {"runs": runs, "calls": calls, "load_before": round(load, 1), "answers": await ask(replica, calls, now)}
    finally:
        await replica.terminate()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=120)
    with running_postgres(durable={"max_wal_size": "4GB"}) as server:
        found = asyncio.run(measure(PostgresServer(server.url).create_database(), parser.parse_args().calls))
    print(json.dumps(found, indent=2))
    slow = [what for what, each in found["answers"].items() if each["p99_ms"] > ALLOWED_MS]
    if slow:
        sys.exit(f"Took longer than {ALLOWED_MS} ms: {', '.join(slow)}.")


if __name__ == "__main__":
    main()
