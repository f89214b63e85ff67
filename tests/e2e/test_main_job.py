from __future__ import annotations

import pytest

from tests.e2e.audited import api_tells_that_nothing_is_unaccounted
from tests.e2e.client import Api, assert_no_gap, eventually, instants, repeated
from tests.servers.replica import Replica, Replicas
from tests.servers.sink import Sink

TARGET_OF_ITS_OWN = 5


async def test_a_job_is_called_each_second_until_it_is_deleted_and_the_ledger_says_so(
    database_url: str, replicas: Replicas, sink: Sink
) -> None:
    replica = await replicas.start(database_url)
    api = Api(replica.url)
    job = await api.create("hello", f"{sink.url}/hello")
    await sink.wait_for(4)
    await api.delete("hello")
    calls = list(sink.calls)

    async def all_ended() -> bool:
        return all(run["state"] != "running" for run in await api.runs(job_id=job["id"]))

    await eventually(all_ended)
    runs = await api.runs(job_id=job["id"])
    called = {call.headers["Cronledger-Scheduled-For"] for call in sink.calls}
    assert not repeated(calls)
    assert_no_gap(instants(runs))
    assert {run["scheduled_for"] for run in runs if run["state"] == "succeeded"} == called
    await api_tells_that_nothing_is_unaccounted(database_url, api)
    await api.close()


async def test_killing_one_of_two_replicas_repeats_no_instant_and_leaves_none_out(
    contended_url: str, replicas: Replicas, sink: Sink
) -> None:
    settings = {"LEASE_SECONDS": "2"}
    one, other = await replicas.start(contended_url, settings), await replicas.start(contended_url, settings)
    api = Api(other.url)
    await api.create("hello", f"{sink.url}/hello")
    await sink.wait_for(3)

    async def all_recorded() -> bool:
        """A call that the ledger does not know to have ended is made again, and must be."""
        return all(run["state"] == "succeeded" for run in await api.runs())

    await eventually(all_recorded)
    await one.kill()
    await sink.wait_for(len(sink.calls) + TARGET_OF_ITS_OWN)
    await api.delete("hello")
    assert_no_gap(instants(await api.runs()))
    assert not repeated(sink.calls)
    await api_tells_that_nothing_is_unaccounted(contended_url, api)
    await api.close()


async def test_a_run_whose_replica_was_killed_is_called_again_as_the_next_attempt(
    contended_url: str, replicas: Replicas, sink: Sink
) -> None:
    doomed = await replicas.start(contended_url, {"LEASE_SECONDS": "2"})
    first = Api(doomed.url)
    await first.create("slow", f"{sink.url}/hang", "@manual")
    run = await first.post("/v1/jobs/slow/trigger")
    await sink.wait_for(1)
    await doomed.kill()
    heir = await replicas.start(contended_url, {"LEASE_SECONDS": "2"})
    again = (await sink.wait_for(2, timeout=7 + TARGET_OF_ITS_OWN))[1]
    assert again.headers["Idempotency-Key"] == run["id"]
    assert again.headers["Cronledger-Attempt"] == "2"
    sink.release()
    second = Api(heir.url)

    async def succeeded() -> bool:
        return bool((await second.get(f"/v1/runs/{run['id']}"))["state"] == "succeeded")

    await eventually(succeeded)
    lost, made = (await second.get(f"/v1/runs/{run['id']}/attempts"))["items"]
    assert (lost["attempt"], lost["outcome"], lost["began_at"] is None) == (1, "lost", False)
    assert (made["attempt"], made["outcome"], made["replica"] != lost["replica"]) == (2, "succeeded", True)
    assert 0 <= made["queue_ms"] + made["connect_ms"] + made["first_byte_ms"] <= made["total_ms"] + made["queue_ms"]
    await first.close()
    await second.close()


@pytest.mark.parametrize("frozen_for_leases", [3])
async def test_a_replica_that_was_frozen_past_its_lease_writes_nothing_over_its_successor(
    contended_url: str, replicas: Replicas, sink: Sink, frozen_for_leases: int
) -> None:
    frozen = await replicas.start(contended_url, {"LEASE_SECONDS": "1"})
    api = Api(frozen.url)
    await api.create("slow", f"{sink.url}/hang", "@manual")
    run = await api.post("/v1/jobs/slow/trigger")
    await sink.wait_for(1)
    frozen.freeze()
    other = await replicas.start(contended_url, {"LEASE_SECONDS": "1"})
    await sink.wait_for(2, timeout=frozen_for_leases + TARGET_OF_ITS_OWN)
    frozen.thaw()
    await eventually(lambda: _said(frozen, "joining again"))
    sink.release()
    direct = Api(other.url)

    async def succeeded() -> bool:
        return bool((await direct.get(f"/v1/runs/{run['id']}"))["state"] == "succeeded")

    await eventually(succeeded)
    assert (await direct.get(f"/v1/runs/{run['id']}"))["attempt"] == 2
    one, two = (await direct.get(f"/v1/runs/{run['id']}/attempts"))["items"]
    assert (one["attempt"], two["attempt"], two["discarded"]) == (1, 2, False)
    assert (one["outcome"], one["discarded"]) in [("lost", False), ("cut", True)]
    await api.close()
    await direct.close()


async def _said(replica: Replica, text: str) -> bool:
    return text in replica.process.output
