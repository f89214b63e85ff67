"""A hanging call that one process makes, canceled through another, in real time."""

from __future__ import annotations

import time

from tests.e2e.client import Api, eventually
from tests.servers.replica import Replicas
from tests.servers.sink import Sink

HELD = 3
"""Calls per replica: what one has no place for goes to the other."""

TARGET = 2


async def test_a_hanging_call_is_cut_within_two_seconds_on_whichever_replica_makes_it(
    contended_url: str, replicas: Replicas, sink: Sink
) -> None:
    settings = {"CONCURRENCY": str(HELD)}
    one, other = await replicas.start(contended_url, settings), await replicas.start(contended_url, settings)
    api, second = Api(one.url), Api(other.url)
    await api.create("slow", f"{sink.url}/hang", "@manual")
    runs = [await api.post("/v1/jobs/slow/trigger") for _ in range(2 * HELD)]
    await sink.wait_for(2 * HELD)
    calling = {run["replica"] for run in await api.runs()}
    assert calling == {(await each.get("/v1/entries"))["replica"] for each in (api, second)}
    since = time.monotonic()
    for run in runs:
        asked = await api.request("POST", f"/v1/runs/{run['id']}/cancel", json={"note": "too slow"})
        assert (asked.status_code, asked.json()["cancel_requested"]) == (202, True)

    async def canceled() -> bool:
        return all(run["state"] == "canceled" for run in await api.runs())

    await eventually(canceled, timeout=5)
    assert time.monotonic() - since <= TARGET
    assert {run["reason"] for run in await api.runs()} == {"canceled by hand: too slow"}
    again = await api.post("/v1/jobs/slow/trigger")
    await sink.wait_for(2 * HELD + 1)
    await api.post(f"/v1/runs/{again['id']}/cancel")
    await eventually(canceled, timeout=5)
    await api.close()
    await second.close()
