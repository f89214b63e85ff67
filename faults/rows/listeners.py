"""F8: the connection by which a replica hears of changes is ended, while the API makes thousands of them."""

from __future__ import annotations

import asyncio
import time

import httpx2

from faults.outcome import Outcome
from faults.world import World, world
from tests.servers.replica import Replica

_LISTENERS = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE application_name = 'cronledger listener' AND datname = current_database()
"""
_TABLE = "SELECT name, version FROM cron_jobs WHERE enabled"
_WITHIN = (3.0, 3.0, 5.0)
"""Seconds for each replica's map. A poll alone, each five seconds, would leave one of the first two behind."""

_JOBS = 100
_NEVER = {"schedule": "0 0 1 1 *", "endpoint": "http://127.0.0.1:9/"}


async def ended(*, full: bool) -> Outcome:
    """A change is a new job, another version of one, or its delete.

    Two replicas listen, and poll as rarely as can be; the third is told of nothing, and polls.
    """
    changes, times = (5000, 20) if full else (900, 3)
    async with world() as scene:
        await scene.add_replicas(2, POLL_SECONDS="5", COMPARE_SECONDS="600")
        await scene.add_replicas(1, url=f"{scene.url}?pgbouncer=true", POLL_SECONDS="2", COMPARE_SECONDS="600")
        terminated, slowest = 0, [0.0] * len(_WITHIN)
        for number in range(times):
            changing = asyncio.create_task(_change(scene, number, changes // times))
            while not changing.done():
                terminated += int(await scene.ledger.value(_LISTENERS))
                scene.mark("listeners ended")
                await asyncio.wait([changing], timeout=0.7)
            await changing
            took = await asyncio.gather(*(_equal(scene, replica) for replica in scene.replicas))
            slowest = [max(pair) for pair in zip(slowest, took, strict=True)]
        outcome = Outcome(figures={"changes": changes, "ended": terminated, "equal_within": round(max(slowest), 1)})
        outcome.marks = scene.marks
        outcome.wrong += [
            f"a map differed from the table for {seconds:.1f} s, and {bound:g} s are allowed"
            for seconds, bound in zip(slowest, _WITHIN, strict=True)
            if seconds > bound
        ]
        if terminated < times:
            outcome.wrong.append(f"{terminated} listeners were ended in {times} rounds: the row has shown nothing")
        await scene.stop()
        return outcome


async def _change(scene: World, round_: int, changes: int) -> None:
    """By each replica in turn, so that the two others have to be told."""
    numbers = iter(range(changes))

    async def some(client: httpx2.AsyncClient) -> None:
        for number in numbers:
            name = f"job-{number % _JOBS}"
            if number // _JOBS == 0 and round_ == 0:
                answer = await client.post("/v1/jobs", json=_NEVER | {"name": name})
            elif number % 10 == 9:
                answer = await client.put(f"/v1/jobs/{name}", json=_NEVER | {"enabled": bool(number % 20 == 9)})
            else:
                answer = await client.patch(f"/v1/jobs/{name}", json={"description": f"{round_} {number}"})
            assert answer.is_success, answer.text

    clients = [httpx2.AsyncClient(base_url=replica.url, timeout=30) for replica in scene.replicas]
    try:
        await some(clients[0]) if round_ == 0 and changes <= _JOBS else await asyncio.gather(*map(some, clients))
    finally:
        await asyncio.gather(*(client.aclose() for client in clients))


async def _equal(scene: World, replica: Replica) -> float:
    """Seconds until its map is as the table; twice as long as is allowed, where it is not."""
    stored = {(row["name"], row["version"]) for row in await scene.ledger.fetch(_TABLE)}
    since = time.monotonic()
    while await _map(replica) != stored and time.monotonic() - since < 2 * max(_WITHIN):
        await asyncio.sleep(0.1)
    return time.monotonic() - since


async def _map(replica: Replica) -> set[tuple[str, int]]:
    async with httpx2.AsyncClient(base_url=replica.url, timeout=10) as client:
        items = (await client.get("/v1/entries", params={"limit": 1000})).json()["items"]
    return {(item["name"], item["version"]) for item in items}
