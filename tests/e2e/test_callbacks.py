"""A target that answers 202 and calls back, in real time and over real sockets."""

from __future__ import annotations

from urllib.parse import urlsplit

from tests.e2e.client import Api, eventually
from tests.servers.replica import Replicas
from tests.servers.sink import Sink

ASYNC = {"async_completion": {"timeout_seconds": 600}}


async def test_a_target_calls_back_whether_or_not_its_answer_is_recorded(
    database_url: str, replicas: Replicas, sink: Sink
) -> None:
    replica = await replicas.start(database_url)
    api = Api(replica.url)
    await api.create("slow", f"{sink.url}/status/202", "@manual", **ASYNC)
    for number, waits in enumerate((False, True), start=1):
        run = await api.post("/v1/jobs/slow/trigger")
        path = f"/v1/runs/{run['id']}"
        callback = (await sink.wait_for(number))[-1].headers["Cronledger-Callback"]
        assert callback.startswith(f"{replica.url}/v1/callbacks/{run['id']}/")

        async def is_in(state: str, path: str = path) -> bool:
            return bool((await api.get(path))["state"] == state)

        if waits:
            await eventually(lambda: is_in("waiting"))
            await api.request("POST", callback, json={"status": "heartbeat"})
        await api.request("POST", callback, json={"status": "succeeded", "result": "1,204 rows"})
        await eventually(lambda: is_in("succeeded"))
        ended = await api.get(path)
        assert (ended["status_code"], ended["response_excerpt"], ended["attempt"]) == (202, "1,204 rows", 1)
    await api.close()


async def test_a_callback_finds_its_run_after_the_replica_that_called_was_killed(
    contended_url: str, replicas: Replicas, sink: Sink
) -> None:
    other = await replicas.start(contended_url, {"LEASE_SECONDS": "3"})
    killed = await replicas.start(contended_url, {"LEASE_SECONDS": "3", "PUBLIC_URL": f"{other.url}/"})
    api, first = Api(other.url), Api(killed.url)
    await first.create("slow", f"{sink.url}/status/202", "@manual", **ASYNC)
    run = await first.post("/v1/jobs/slow/trigger")
    [call] = await sink.wait_for(1)

    async def is_in(state: str) -> bool:
        return bool((await api.get(f"/v1/runs/{run['id']}"))["state"] == state)

    await eventually(lambda: is_in("waiting"))
    await killed.kill()
    await api.create("every-second", f"{sink.url}/")
    await sink.wait_for(6, path="/", timeout=20)  # by then the lease of the other has ended
    assert await is_in("waiting")
    callback = call.headers["Cronledger-Callback"]
    assert (urlsplit(callback).netloc, len(await sink.wait_for(1, path="/status/202"))) == (other.url[7:], 1)
    await api.request("POST", callback, json={"status": "succeeded"})
    assert await is_in("succeeded")
    await api.close()
    await first.close()
