"""F8: the connection by which a replica hears of changes is ended, or frozen, while the API makes thousands of them."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from contextlib import suppress

import httpx2

from faults.outcome import Outcome
from faults.world import World, world
from tests.servers.replica import Replica

_LISTENERS = "FROM pg_stat_activity WHERE application_name = 'cronledger listener' AND datname = current_database()"
_TABLE = "SELECT name, version FROM cron_jobs WHERE enabled"
_RARE = 5.0
_HEALED = 3.0
"""Seconds within which a listener is back, and has caught up. A poll as rare as that would mostly take longer."""

_POLL = 3.5
_POLLED = 7.0
"""Seconds within which a change is seen that no listener tells of: a poll, and what it takes to look here.

That it hears nothing, a listener would know after 10.
"""

_JOBS = 100
_NEVER = {"schedule": "0 0 1 1 *", "endpoint": "http://127.0.0.1:9/"}


async def ended(*, full: bool) -> Outcome:
    """A change is a new job, another version of one, or its delete."""
    changes, times, frozen = (5000, 20, 4) if full else (900, 3, 1)
    async with world() as scene:
        await scene.add_replicas(3, POLL_SECONDS=f"{_RARE:g}", COMPARE_SECONDS="600")
        ended, healed, polled = 0, 0.0, 0.0
        for number in range(times):
            changing = asyncio.create_task(_change(scene, number, changes // times))
            ended += await _end_meanwhile(scene, changing)
            healed = max(healed, await _equal(scene))
        await _replace(scene, POLL_SECONDS=f"{_POLL:g}", COMPARE_SECONDS="600")
        for number in range(frozen):
            polled = max(polled, await _changed_unheard(scene, times + number))
        outcome = Outcome(marks=scene.marks)
        outcome.figures = {"changes": changes, "ended": ended, "equal_within": round(healed, 1)}
        outcome.figures |= {"frozen": frozen, "polled_within": round(polled, 1)}
        for what, took, bound in (("listener was ended", healed, _HEALED), ("listener was frozen", polled, _POLLED)):
            if took > bound:
                outcome.wrong.append(f"after a {what}, a map differed from the table for {took:.1f} s, not {bound:g}")
        if ended < times:
            outcome.wrong.append(f"{ended} listeners were ended in {times} rounds: the row has shown nothing")
        await scene.stop()
        return outcome


async def _replace(scene: World, **settings: str) -> None:
    """The replicas, by others with these settings."""
    await scene.stop()
    scene.replicas.clear()
    await scene.add_replicas(3, **settings)


async def _end_meanwhile(scene: World, changing: asyncio.Task[None]) -> int:
    """How many."""
    ended = 0
    while not changing.done():
        ended += int(await scene.ledger.value(f"SELECT count(pg_terminate_backend(pid)) {_LISTENERS}"))
        scene.mark("listeners ended")
        await asyncio.wait([changing], timeout=0.7)
    await changing
    return ended


async def _changed_unheard(scene: World, round_: int) -> float:
    """Seconds in which the maps differed, while nobody was told and the connections seemed to be well."""
    backends = await _all_listening(scene)
    scene.mark("listeners frozen")
    try:
        for pid in backends:
            os.kill(pid, signal.SIGSTOP)
        await _change(scene, round_, _JOBS)
        return await _equal(scene)
    finally:
        for pid in backends:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


async def _all_listening(scene: World) -> list[int]:
    """The backends, one of each replica: those that were ended, or left for new ones, are made again."""
    async with asyncio.timeout(20):
        while True:
            backends = [row["pid"] for row in await scene.ledger.fetch(f"SELECT pid {_LISTENERS}")]
            if len(backends) == len(scene.replicas):
                return backends
            await asyncio.sleep(0.2)


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


async def _equal(scene: World) -> float:
    """Seconds until every map is as the table; twice as long as is allowed, where one is not."""
    stored = {(row["name"], row["version"]) for row in await scene.ledger.fetch(_TABLE)}
    since = time.monotonic()
    while any([await _map(replica) != stored for replica in scene.replicas]):
        if time.monotonic() - since > 2 * _POLLED:
            break
        await asyncio.sleep(0.1)
    return time.monotonic() - since


async def _map(replica: Replica) -> set[tuple[str, int]]:
    async with httpx2.AsyncClient(base_url=replica.url, timeout=10) as client:
        items = (await client.get("/v1/entries", params={"limit": 1000})).json()["items"]
    return {(item["name"], item["version"]) for item in items}
