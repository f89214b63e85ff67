"""F2 and F5: replicas that die, and replicas that are stopped in their tracks and go on."""

from __future__ import annotations

import asyncio
import time
from itertools import cycle
from uuid import UUID

import httpx2

from faults.outcome import Outcome
from faults.world import LEASE, World, world
from tests.servers.replica import Replica

_HELD = "SELECT count(*) FROM job_runs WHERE state = 'running' AND owner = $1"
_OVER = LEASE * 3 + 1.5
_LONG = "/slow/9000"
"""Taken over after a lease, such a call is still under way when its first caller comes back with an answer."""

_REST = 10.0
"""Seconds between two rounds, in which what was taken over ends: a run is lost when a fourth replica dies on it."""


async def killed(*, full: bool) -> Outcome:
    """Each kill can make those calls come again that were under way, and no others."""
    async with world() as scene:
        await scene.add_replicas(3)
        await _post(scene, 60 if full else 20)
        in_flight, until = 0, time.monotonic() + (600 if full else 60)
        for replica in cycle(scene.replicas):
            in_flight += await _kill(scene, replica)
            await asyncio.sleep(4)
            if time.monotonic() > until:
                break
        return _bounded(Outcome.of(await scene.finish(), scene.marks, in_flight=in_flight))


async def frozen(*, full: bool) -> Outcome:
    """For more than three leases; two at a time, so that the third has their runs."""
    async with world() as scene:
        await scene.add_replicas(3)
        await asyncio.gather(_post(scene, 20 if full else 10), scene.post_jobs("long", 5, every=5, path=_LONG))
        rounds, in_flight = 10 if full else 2, 0
        for number in range(rounds):
            await asyncio.sleep(_REST if number else 0)
            in_flight += sum(
                await asyncio.gather(_freeze(scene, number % 3), _freeze(scene, (number + 1) % 3, after=2))
            )
        found = await scene.finish()
        discarded = await scene.ledger.value("SELECT count(*) FROM job_attempts WHERE discarded")
        figures = {"frozen": rounds * 2, "in_flight": in_flight, "discarded": discarded}
        outcome = _bounded(Outcome.of(found, scene.marks, **figures), besides=rounds * 2 * len(scene.jobs))
        if found.called_again == 0:
            outcome.wrong.append("no run was taken over: the row has shown nothing")
        return outcome


async def replica_id(replica: Replica) -> UUID:
    async with httpx2.AsyncClient(timeout=10) as client:
        return UUID((await client.get(f"{replica.url}/v1/entries?limit=1")).json()["replica"])


async def _post(scene: World, count: int) -> None:
    await asyncio.gather(
        scene.post_jobs("plain", count),
        scene.post_jobs("slow", count // 2, path="/slow/400"),
        scene.post_jobs("once", count // 2, path="/slow/400", delivery="at_most_once"),
    )


async def _kill(scene: World, replica: Replica) -> int:
    """How many runs it held. It is stopped first, lest it goes on between the count and its end."""
    identity = await replica_id(replica)
    held = await _stop_in_its_tracks(scene, replica, identity)
    scene.mark("kill -9")
    await replica.kill()
    await scene.start(replica)
    return held


async def _freeze(scene: World, index: int, after: float = 0) -> int:
    """How many runs it held."""
    await asyncio.sleep(after)
    replica = scene.replicas[index]
    identity = await replica_id(replica)
    scene.mark("SIGSTOP")
    try:
        held = await _stop_in_its_tracks(scene, replica, identity)
        await asyncio.sleep(_OVER)
    finally:
        scene.replicas[index].thaw()
    scene.mark("SIGCONT")
    await asyncio.sleep(2)
    return held


async def _stop_in_its_tracks(scene: World, replica: Replica, identity: UUID) -> int:
    """What it held, once PostgreSQL is through with what it had sent."""
    replica.freeze()
    await asyncio.sleep(0.2)
    return int(await scene.ledger.value(_HELD, identity))


def _bounded(outcome: Outcome, besides: int = 0) -> Outcome:
    """A run is called again, or lost, where its replica held it then, and nowhere else.

    `besides` is what it may have been claiming: that is committed when it goes on, under an id that is dead.
    """
    touched, held = outcome.figures["again"] + outcome.figures["lost"], outcome.figures["in_flight"]
    if touched > held + besides:
        outcome.wrong.append(f"{touched} runs were called again or lost, and {held} were in flight")
    return outcome
