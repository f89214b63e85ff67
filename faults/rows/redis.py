"""F12: Redis killed, flushed and slow, where it is what tells the replicas of changes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import httpx2

from faults.check import Found
from faults.outcome import Outcome, lag_figures
from faults.proxy import Proxy
from faults.rows.database import post
from faults.world import World, world
from tests.servers.redis import RedisProcess, running_redis

_DELAY = 5.0
_CALM = 4.0
_FOR = {"killed": 3.0, "flushed": 1.5, "slow": _DELAY + 1}
"""Seconds."""

_WITHIN = 5.0
"""Seconds in which a change is to be seen; the replicas here poll each second."""

Stretch = tuple[float, float]


@dataclass
class _Seen:
    """`away` counts the faults in which a replica said that Redis was away, `slowest` is about changes."""

    calm: Stretch = (0.0, 0.0)
    slow: list[Stretch] = field(default_factory=list)
    faults: int = 0
    away: int = 0
    slowest: float = 0.0
    was_up: bool = False


async def broken(*, full: bool) -> Outcome:
    """The database is told to be behind PgBouncer, so that nobody listens to it. Jobs are made all the while."""
    with running_redis() as redis:
        proxy = Proxy(redis.port)
        try:
            settings = {"REDIS_URL": f"redis://127.0.0.1:{await proxy.start()}"}
            async with world() as scene:
                await scene.add_replicas(2, url=f"{scene.url}?pgbouncer=true", **settings)
                await post(scene, full=full)
                seen = _Seen(calm=await _pass(_CALM), was_up=await _up(scene) == 1)
                for number in range(20 if full else 3):
                    await _fault(scene, redis, proxy, number, seen)
                return _judged(await scene.finish(), scene, seen)
        finally:
            await proxy.stop()


async def _fault(scene: World, redis: RedisProcess, proxy: Proxy, number: int, seen: _Seen) -> None:
    what = list(_FOR)[number % 3]
    scene.mark(f"slow by {_DELAY:g} s" if what == "slow" else what)
    await _break(what, redis, proxy)
    changed = asyncio.create_task(_change(scene, f"made-{number}"))
    stretch = await _pass(_FOR[what])
    seen.slow += [stretch] if what == "slow" else []
    seen.faults += what != "flushed"
    seen.away += await _up(scene) == 0
    await _mend(what, redis, proxy)
    scene.mark("mended")
    seen.slowest = max(seen.slowest, await changed)
    await asyncio.sleep(1.5)


def _judged(found: Found, scene: World, seen: _Seen) -> Outcome:
    outcome = Outcome.of(found, scene.marks, changes_seen_within=round(seen.slowest, 1))
    calm, slow = _lags(found, [seen.calm]), _lags(found, seen.slow)
    outcome.figures |= {"p99_calm": calm["lag_p99"], "p99_slow": slow["lag_p99"]}
    if slow["lag_p50"] > calm["lag_p50"] + 1:
        outcome.wrong.append(f"calls wait for a slow redis: lag p50 is {slow['lag_p50']}, else {calm['lag_p50']}")
    if not seen.was_up or seen.away < seen.faults:
        outcome.wrong.append(f"redis was used: {seen.was_up}, and away in {seen.away} of {seen.faults} faults")
    if seen.slowest > _WITHIN:
        outcome.wrong.append(f"a change was seen by the other replica after {seen.slowest:.1f} s")
    return outcome


async def _pass(seconds: float) -> Stretch:
    since = time.time()
    await asyncio.sleep(seconds)
    return since, time.time()


async def _break(what: str, redis: RedisProcess, proxy: Proxy) -> None:
    if what == "killed":
        await asyncio.to_thread(redis.process.kill)
    elif what == "flushed":
        await asyncio.to_thread(redis.flush)
    else:
        proxy.there.seconds = _DELAY


async def _mend(what: str, redis: RedisProcess, proxy: Proxy) -> None:
    if what == "killed":
        await asyncio.to_thread(redis.start)
    proxy.there.seconds = 0


async def _change(scene: World, name: str) -> float:
    """A job is made by one replica; the seconds until the other one has it in its map."""
    one, other = (httpx2.AsyncClient(base_url=replica.url, timeout=10) for replica in scene.replicas)
    async with one, other:
        since = time.monotonic()
        body = {"name": name, "schedule": "0 0 1 1 *", "endpoint": scene.target.url}
        answer = await one.post("/v1/jobs", json=body)
        assert answer.status_code == 201, answer.text
        while time.monotonic() - since < 2 * _WITHIN:
            items = (await other.get("/v1/entries", params={"limit": 1000})).json()["items"]
            if name in {item["name"] for item in items}:
                break
            await asyncio.sleep(0.05)
        return time.monotonic() - since


async def _up(scene: World) -> float:
    """The least that a replica says."""
    told: list[float] = []
    async with httpx2.AsyncClient(timeout=10) as client:
        for replica in scene.replicas:
            text = (await client.get(f"{replica.url}/metrics")).text
            told += [float(line.split()[1]) for line in text.splitlines() if line.startswith("cronledger_redis_up ")]
    return min(told)


def _lags(found: Found, stretches: Sequence[Stretch]) -> dict[str, float]:
    """Of the calls that came in these stretches; without calls there is nothing to be said."""
    lags = [(at, lag) for at, lag in found.lags if any(since <= at <= until for since, until in stretches)]
    assert lags, "no call came"
    return lag_figures(lags)
