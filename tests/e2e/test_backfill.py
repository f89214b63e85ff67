"""A year of daily runs, backfilled by two processes of which one is killed on the way, in real time."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

from tests.e2e.client import Api, eventually, instants
from tests.servers.replica import Replica, Replicas
from tests.servers.sink import Sink

AT_A_TIME = 5
FIRST = datetime(2025, 1, 1, 3, tzinfo=UTC)
YEAR = {"since": "2025-01-01T00:00:00Z", "until": "2026-01-01T00:00:00Z", "max": 1000, "concurrency": AT_A_TIME}


async def test_a_year_is_complete_and_each_day_has_run_once_though_a_replica_was_killed(
    contended_url: str, replicas: Replicas, sink: Sink
) -> None:
    settings = {"LEASE_SECONDS": "2"}
    one, other = await replicas.start(contended_url, settings), await replicas.start(contended_url, settings)
    api = Api(other.url)
    await api.create("daily", f"{sink.url}/delay/20", "0 3 * * *")
    made = await api.post("/v1/jobs/daily/backfill", YEAR)
    assert (made["total"], made["left_out"]) == (365, 0)
    await sink.wait_for(100, timeout=30)
    await _killed_in_the_middle_of_a_call(one, api, made["id"])

    async def done() -> bool:
        state: str = (await api.get(f"/v1/backfills/{made['id']}"))["state"]
        return state == "done"

    await eventually(done, timeout=60)
    told = await api.get(f"/v1/backfills/{made['id']}")
    assert told["counts"]["succeeded"] == 365
    runs = await api.runs(backfill_id=made["id"])
    assert instants(runs) == [FIRST + timedelta(days=day) for day in range(365)]
    calls = Counter(call.headers["Idempotency-Key"] for call in sink.calls)
    attempts = {run["id"]: run["attempt"] for run in runs}
    assert set(calls) == set(attempts)
    # An attempt counts from its start on, and the replica may have been killed before the call had left.
    assert all(calls[run] <= attempts[run] for run in calls)
    assert 2 in attempts.values()
    assert sum(calls.values()) <= 365 + AT_A_TIME
    assert 1 < sink.most_at_once <= AT_A_TIME
    assert {call.headers["Cronledger-Trigger"] for call in sink.calls} == {"backfill"}
    await api.close()


async def _killed_in_the_middle_of_a_call(replica: Replica, api: Api, backfill_id: str) -> None:
    """When the ledger says that it calls: what it has begun is to be taken over."""
    told = Api(replica.url)
    name = (await told.get("/v1/entries"))["replica"]
    await told.close()

    async def calls() -> bool:
        return any(run["replica"] == name for run in await api.runs(backfill_id=backfill_id, state="running"))

    await eventually(calls, timeout=20)
    await replica.kill()
