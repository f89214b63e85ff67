"""A thousand jobs due in the same second, each second: what is missed, what comes twice, and how late the calls are.

One replica as a process, PostgreSQL, and a sink in a process of its own, all on this machine. Lag is measured where the
call arrives. The figures of the first seconds are left out: connections open and statements are prepared then.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import httpx2

from tests.servers.postgres import PostgresServer, plain_dsn, running_postgres
from tests.servers.replica import Replica

WARM_UP = timedelta(seconds=3)
STRAGGLERS = timedelta(seconds=15)
STATEMENTS = "SELECT sum(calls)::bigint FROM pg_stat_statements"
STATES = "SELECT json_object_agg(state, runs) FROM (SELECT state, count(*) AS runs FROM job_runs GROUP BY state) s"
SETTINGS = {"CONCURRENCY": "200", "PER_HOST_CONCURRENCY": "200", "LOG_LEVEL": "warning"}


@dataclass(frozen=True)
class Call:
    came_at: float
    scheduled_for: datetime
    key: str

    @property
    def lag(self) -> float:
        return self.came_at - self.scheduled_for.timestamp()


class Sink:
    """See `benchmarks/sink.py`."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.sink"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        self.url = f"http://127.0.0.1:{int(self._process.stdout.readline())}/"

    def calls(self) -> list[Call]:
        """Ends it."""
        output, _ = self._process.communicate()
        read = (json.loads(line) for line in output.splitlines())
        return [Call(at, datetime.fromisoformat(scheduled), key) for at, scheduled, key in read]


@contextmanager
def replica_on(url: str) -> Iterator[Replica]:
    replica = Replica(url, SETTINGS)
    asyncio.run(replica.start())
    try:
        yield replica
    finally:
        status = asyncio.run(replica.terminate())
        assert status == 0, replica.process.output


async def post_jobs(replica: Replica, jobs: int, endpoint: str, starts_at: datetime) -> None:
    async with httpx2.AsyncClient(base_url=replica.url, timeout=30) as client:
        for number in range(jobs):
            job = {"name": f"job-{number}", "schedule": "* * * * * *", "endpoint": endpoint}
            answer = await client.post("/v1/jobs", json=job | {"starts_at": starts_at.isoformat()})
            assert answer.status_code == 201, answer.text


async def execute(url: str, statement: str) -> Any:  # noqa: ANN401  # whatever the statement selects
    """The first value of the answer."""
    connection = await asyncpg.connect(plain_dsn(url))
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


def percentile(ordered: list[float], share: float) -> float:
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


def report(calls: Iterable[Call], first: datetime, seconds: int, jobs: int) -> dict[str, Any]:
    window = [call for call in calls if first <= call.scheduled_for < first + timedelta(seconds=seconds)]
    lags = sorted(call.lag for call in window)
    return {
        "jobs": jobs,
        "seconds": seconds,
        "calls": len(window),
        "missed": jobs * seconds - len({call.key for call in window}),
        "twice": len(window) - len({call.key for call in window}),
        "early": sum(lag < 0 for lag in lags),
        "lag_p50_ms": round(percentile(lags, 0.50) * 1000),
        "lag_p99_ms": round(percentile(lags, 0.99) * 1000),
        "lag_max_ms": round(lags[-1] * 1000),
    }


def measure(jobs: int, seconds: int) -> dict[str, Any]:
    sink = Sink()
    with running_postgres(durable={"shared_preload_libraries": "pg_stat_statements"}) as server:
        url = PostgresServer(server.url).create_database()
        asyncio.run(execute(url, "CREATE EXTENSION pg_stat_statements"))
        with replica_on(url) as replica:
            starts_at = next_second(timedelta(seconds=2 + jobs / 50))
            asyncio.run(post_jobs(replica, jobs, sink.url, starts_at))
            first = starts_at + WARM_UP
            wait_until(first - timedelta(seconds=0.5))
            asyncio.run(execute(url, "SELECT pg_stat_statements_reset()"))
            wait_until(first + timedelta(seconds=seconds - 0.5))
            statements = asyncio.run(execute(url, STATEMENTS))
            wait_for_stragglers(url, first + timedelta(seconds=seconds))
        states = asyncio.run(execute(url, STATES))
    found = report(sink.calls(), first, seconds, jobs)
    return found | {
        "statements_per_1000_runs": round(statements / (jobs * seconds) * 1000),
        "ledger": json.loads(states),
    }


def wait_for_stragglers(url: str, end: datetime) -> None:
    """A replica that falls behind is late, which is a figure; only what never comes is missed."""
    overdue = f"SELECT count(*) FROM job_runs WHERE state = 'pending' AND scheduled_for < '{end.isoformat()}'"  # noqa: S608  # an instant of ours
    give_up = datetime.now(UTC) + STRAGGLERS
    wait_until(end + timedelta(seconds=0.5))
    while asyncio.run(execute(url, overdue)) and datetime.now(UTC) < give_up:
        time.sleep(0.2)


def next_second(ahead: timedelta) -> datetime:
    return (datetime.now(UTC) + ahead).replace(microsecond=0)


def wait_until(instant: datetime) -> None:
    time.sleep(max((instant - datetime.now(UTC)).total_seconds(), 0))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=1000)
    parser.add_argument("--seconds", type=int, default=30)
    chosen = parser.parse_args()
    found = measure(chosen.jobs, chosen.seconds)
    print(json.dumps(found, indent=2))
    if found["missed"] or found["twice"] or found["early"]:
        sys.exit("Instants were missed, called twice or called early.")


if __name__ == "__main__":
    main()
