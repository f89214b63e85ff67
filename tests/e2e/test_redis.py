"""Redis that is killed, flushed or slow, under real replicas: nobody waits for it, and nothing depends on it."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Iterator

import pytest
from redis.asyncio import Redis

from faults.proxy import Proxy
from tests.e2e.client import Api, assert_no_gap, eventually, instants, repeated
from tests.servers.redis import RedisProcess, running_redis
from tests.servers.replica import Replicas
from tests.servers.sink import Sink

DELAY = 5.0


@pytest.fixture
def redis_server() -> Iterator[RedisProcess]:
    with running_redis() as started:
        yield started


@pytest.fixture
async def proxy(redis_server: RedisProcess) -> AsyncIterator[Proxy]:
    made = Proxy(redis_server.port)
    yield made
    await made.stop()


async def test_with_redis_killed_flushed_and_slow_nothing_is_late_missed_or_twice(
    database_url: str, redis_server: RedisProcess, proxy: Proxy, replicas: Replicas, sink: Sink
) -> None:
    settings = {"REDIS_URL": f"redis://127.0.0.1:{await proxy.start()}", "POLL_SECONDS": "1", "LEASE_SECONDS": "3"}
    url = database_url if database_url.startswith("sqlite") else f"{database_url}?pgbouncer=true"
    one, other = [Api((await replicas.start(url, settings)).url) for _ in range(2)]
    await one.create("steady", f"{sink.url}/steady", overlap="allow")
    await eventually(lambda: all_say(1, one, other))

    redis_server.process.kill()
    await eventually(lambda: all_say(0, one, other))
    await goes_on("killed", one, other, sink)
    redis_server.start()
    await eventually(lambda: all_say(1, one, other))

    await asyncio.to_thread(redis_server.flush)
    await goes_on("flushed", one, other, sink)

    proxy.there.seconds = DELAY
    await goes_on("slow", one, other, sink)
    await eventually(lambda: all_say(0, one, other))

    assert_no_gap(instants([run for run in await one.runs() if run["job_name"] == "steady"]))
    assert not repeated([call for call in sink.calls if call.path == "/steady"])
    assert Counter(run["state"] for run in await one.runs(state="missed")) == {}
    for api in (one, other):
        assert (await api.get("/readyz"))["status"] == "ready"
        await api.close()


async def goes_on(name: str, one: Api, other: Api, sink: Sink) -> None:
    """A job is made and changed through either replica sooner than a slow Redis would say anything, and is called."""
    async with asyncio.timeout(DELAY - 1):
        await one.create(name, f"{sink.url}/{name}")
        await eventually(lambda: knows(other, name))
        await other.request("PATCH", f"/v1/jobs/{name}", json={"description": "changed"})
    await sink.wait_for(2, path=f"/{name}")
    await other.delete(name)


async def knows(api: Api, name: str) -> bool:
    return name in await api.entries()


async def all_say(up: int, *replicas: Api) -> bool:
    told = [(await replica.request("GET", "/metrics")).text for replica in replicas]
    return all(f"\ncronledger_redis_up {up}.0" in text for text in told)


async def test_others_can_see_what_runs_who_is_there_and_what_ran_last(
    sqlite_url: str, redis_server: RedisProcess, replicas: Replicas, sink: Sink
) -> None:
    replica = await replicas.start(sqlite_url, {"REDIS_URL": redis_server.url, "REDIS_PREFIX": "mine"})
    api = Api(replica.url)
    await api.create("long", f"{sink.url}/hang")
    await sink.wait_for(1)
    async with Redis.from_url(redis_server.url, decode_responses=True) as redis:
        await eventually(lambda: there_are(redis, "mine:running:*", 1))
        [marker] = [json.loads(str(await redis.get(key))) async for key in redis.scan_iter(match="mine:running:*")]
        [there] = [await redis.get(key) async for key in redis.scan_iter(match="mine:replica:*")]
        assert marker == {"job": "long", "replica": there, "fence": 1}
        sink.release()
        await eventually(lambda: there_are(redis, "mine:last_run:long", 1))
        await replica.terminate()
        assert await there_are(redis, "mine:running:*", 0)
        assert await there_are(redis, "mine:replica:*", 0)
    await api.close()


async def there_are(redis: Redis, pattern: str, count: int) -> bool:
    return len([key async for key in redis.scan_iter(match=pattern)]) == count
