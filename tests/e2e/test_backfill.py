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
    started = [await replicas.start(contended_url, settings) for _ in range(2)]
    api = Api(started[0].url)
    await api.create("daily", f"{sink.url}/delay/20", "0 3 * * *")
    made = await api.post("/v1/jobs/daily/backfill", YEAR)
    await api.close()
    assert (made["total"], made["left_out"]) == (365, 0)
    await sink.wait_for(100, timeout=30)
    before = len(sink.calls)
    sink.hold()
    held = (await sink.wait_for(before + AT_A_TIME, timeout=20))[before:]
    left = await _left_when_the_other_was_killed_in_a_call(started, {call.headers["Idempotency-Key"] for call in held})
    sink.release()
    api = Api(left.url)

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


async def _left_when_the_other_was_killed_in_a_call(started: list[Replica], held: set[str]) -> Replica:
    """When the ledger says that it calls: what it has begun is to be taken over."""
    named = {await _name_of(each): each for each in started}
    api = Api(started[0].url)
    calling = [run["replica"] for run in await api.runs(state="running") if run["id"] in held]
    await api.close()
    await named.pop(calling[0]).kill()
    [left] = named.values()
    return left


async def _name_of(replica: Replica) -> str:
    api = Api(replica.url)
    name: str = (await api.get("/v1/entries"))["replica"]
    await api.close()
    return name
