"""Policies in real time, held by two processes over one PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.e2e.client import Api, assert_no_gap, eventually, instants, repeated
from tests.servers.replica import Replica, Replicas
from tests.servers.sink import Sink

LEASE = 2
SETTINGS = {"LEASE_SECONDS": str(LEASE)}
SHARING, AT_ONCE = 200, 7


@pytest.fixture
async def two(contended_url: str, replicas: Replicas) -> AsyncIterator[list[tuple[Replica, Api]]]:
    settings = SETTINGS | {"PER_HOST_CONCURRENCY": "200"}
    started = [await replicas.start(contended_url, settings) for _ in range(2)]
    pairs = [(replica, Api(replica.url)) for replica in started]
    yield pairs
    for _, api in pairs:
        await api.close()


async def test_a_retry_is_made_by_another_when_the_replica_of_the_first_attempt_was_killed(
    contended_url: str, replicas: Replicas, sink: Sink
) -> None:
    doomed = await replicas.start(contended_url, SETTINGS)
    api = Api(doomed.url)
    await api.create("shaky", f"{sink.url}/status/500", "@manual", retry={"min_backoff_seconds": 4, "jitter": False})
    run = await api.post("/v1/jobs/shaky/trigger")
    await sink.wait_for(1)

    async def to_be_retried() -> bool:
        found = await api.get(f"/v1/runs/{run['id']}")
        return (found["state"], found["attempt"]) == ("pending", 1)

    await eventually(to_be_retried)
    due = datetime.fromisoformat((await api.get(f"/v1/runs/{run['id']}"))["due_at"])
    await doomed.kill()
    await replicas.start(contended_url, SETTINGS)
    _, again = await sink.wait_for(2, timeout=15)
    assert again.at >= due
    assert again.headers["Idempotency-Key"] == run["id"]
    assert again.headers["Cronledger-Attempt"] == "2"
    await api.close()


async def test_a_limit_holds_over_jobs_and_replicas(two: list[tuple[Replica, Api]], sink: Sink) -> None:
    (_, one), (_, other) = two
    await one.request("PUT", "/v1/limits/shared", json={"max_concurrency": AT_ONCE})
    at = (datetime.now(UTC) + timedelta(seconds=12)).isoformat()
    for number in range(SHARING):
        api = (one, other)[number % 2]
        await api.create(f"job-{number}", f"{sink.url}/delay/50", f"@at {at}", concurrency_key="shared")
    calls = await sink.wait_for(SHARING, timeout=60)
    await eventually(lambda: _ended(one, SHARING))
    assert sink.most_at_once == AT_ONCE
    assert len({call.headers["Idempotency-Key"] for call in calls}) == len(calls) == SHARING
    assert {run["state"] for run in await one.runs()} == {"succeeded"}
    assert (await one.get("/v1/limits/shared"))["waiting"] == 0


async def test_runs_do_not_overlap_whichever_replica_makes_them(two: list[tuple[Replica, Api]], sink: Sink) -> None:
    (_, one), _ = two
    await one.create("slow", f"{sink.url}/delay/2500")
    await sink.wait_for(3, timeout=20)
    await one.delete("slow")
    runs = await one.runs()
    assert sink.most_at_once == 1
    assert not repeated(sink.calls)
    assert_no_gap(instants(runs))
    skipped = [run["reason"] for run in runs if run["state"] == "skipped"]
    assert len(skipped) >= 3
    assert all(reason.startswith("overlap: run ") for reason in skipped)


async def test_a_dead_replicas_run_blocks_nothing_after_its_lease(two: list[tuple[Replica, Api]], sink: Sink) -> None:
    (one, first), (other, second) = two
    await first.create("stuck", f"{sink.url}/hang", delivery="at_most_once")
    await sink.wait_for(1)
    names = {(await first.get("/v1/entries"))["replica"]: one, (await second.get("/v1/entries"))["replica"]: other}
    [held] = await first.runs(state="running")
    await names[held["replica"]].kill()
    survivor = second if names[held["replica"]] is one else first
    await sink.wait_for(2, timeout=LEASE + 8)
    lost = await survivor.get(f"/v1/runs/{held['id']}")
    assert (lost["state"], lost["reason"]) == ("lost", "replica died")
    sink.release()


async def _ended(api: Api, count: int) -> bool:
    runs: list[dict[str, Any]] = await api.runs(state="succeeded")
    return len(runs) == count
