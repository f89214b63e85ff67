"""Half a million rows go while a schedule runs: how late its calls are meanwhile, and how late they were before.

`aged`: whole days, 40 days old. `keep_runs`: of one job, in batches. One replica as a process, PostgreSQL and a sink,
all on this machine, as in `benchmarks.every_second`; the retention runs in this process, as in another replica.
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
from app.service.retention import RetentionService
from benchmarks.every_second import (
    WARM_UP,
    Sink,
    execute,
    next_second,
    post_jobs,
    replica_on,
    report,
    wait_for_stragglers,
    wait_until,
)
from tests.servers.postgres import PostgresServer, running_postgres
from tests.servers.replica import Replica

DAYS, ALLOWED_MS = 10, 200
PLACES: dict[str, tuple[int, int | None]] = {"aged": (42, None), "keep_runs": (15, 100)}
"""How many days ago the first of the rows stands, and how many the job keeps."""

ROWS = """
WITH made AS (
  INSERT INTO job_runs (id, ledger_at, job_id, job_name, job_version, scheduled_for, trigger, state, due_at, attempt,
                        started_at, finished_at)
  SELECT (lpad(to_hex((extract(epoch FROM t) * 1000)::bigint), 12, '0') || '8' || substr(md5(i::text), 1, 3)
          || '8' || substr(md5(i::text), 4, 15))::uuid, t, '{uid}', 'kept', 1, t, 'schedule', 'succeeded', t, 1, t, t
  FROM generate_series(1, {rows}) i, LATERAL (SELECT '{first}'::timestamptz + i * interval '{days} days' / {rows}) v(t)
  RETURNING id, ledger_at)
INSERT INTO job_attempts (run_id, ledger_at, fence, attempt, outcome, discarded, ended_at)
SELECT id, ledger_at, 1, 1, 'succeeded', false, ledger_at FROM made
"""
COUNT = "SELECT count(*) FROM job_runs WHERE job_name = 'kept'"


async def fill(url: str, replica: Replica, rows: int, age: int, keep: int | None) -> None:
    """So many runs of one job, with an attempt each, over some days that begin `age` days ago."""
    async with httpx2.AsyncClient(base_url=replica.url, timeout=30) as client:
        job = {"name": "kept", "schedule": "@manual", "endpoint": "http://127.0.0.1:9/", "keep_runs": keep}
        answer = await client.post("/v1/jobs", json=job)
        assert answer.status_code == 201, answer.text
    first = datetime.now(UTC) - timedelta(days=age)
    database = connect(url, patience=None)
    await ensure_partitions(database, [first + timedelta(days=day) for day in range(DAYS + 1)])
    await database.close()
    await execute(url, ROWS.format(uid=answer.json()["id"], rows=rows, first=first.isoformat(), days=DAYS))
    for table in ("job_runs", "job_attempts"):
        await execute(url, f"ANALYZE {table}")
    await execute(url, "CHECKPOINT")


async def prune(url: str) -> float:
    """Rounds until nothing is left to do; seconds."""
    database, began = connect(url), time.monotonic()
    service = RetentionService(database)
    while await service.prune():
        pass
    await database.close()
    return time.monotonic() - began


def measure(what: str, jobs: int, rows: int, seconds: int) -> dict[str, Any]:
    sink = Sink()
    with running_postgres(durable={"max_wal_size": "4GB"}) as server:
        url = PostgresServer(server.url).create_database()
        with replica_on(url) as replica:
            asyncio.run(fill(url, replica, rows, *PLACES[what]))
            before = asyncio.run(execute(url, COUNT))
            starts_at = next_second(timedelta(seconds=2 + jobs / 50))
            asyncio.run(post_jobs(replica, jobs, sink.url, starts_at))
            first = starts_at + WARM_UP
            begins = first + timedelta(seconds=seconds)
            wait_until(begins - timedelta(seconds=0.2))
            load = os.getloadavg()[0]
            took = asyncio.run(prune(url))
            after = max(seconds, int(took) + 2)
            wait_until(begins + timedelta(seconds=after))
            wait_for_stragglers(url, begins + timedelta(seconds=after))
            removed = before - asyncio.run(execute(url, COUNT))
    calls = sink.calls()
    return {
        "what": what,
        "rows_removed": removed,
        "took_s": round(took, 1),
        "load_before": round(load, 1),
        "without": report(calls, first, seconds, jobs),
        "with_retention": report(calls, begins, after, jobs),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--what", choices=list(PLACES), action="append")
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--rows", type=int, default=500_000)
    parser.add_argument("--seconds", type=int, default=10)
    chosen = parser.parse_args()
    late = False
    for what in chosen.what or PLACES:
        found = measure(what, chosen.jobs, chosen.rows, chosen.seconds)
        print(json.dumps(found, indent=2), flush=True)
        late |= found["with_retention"]["lag_max_ms"] > ALLOWED_MS or bool(found["with_retention"]["missed"])
    if late:
        sys.exit(f"Calls were missed, or later than {ALLOWED_MS} ms.")


if __name__ == "__main__":
    main()
