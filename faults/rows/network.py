"""F4: the network between a replica and PostgreSQL, cut one way and both, and slow."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from urllib.parse import urlsplit

import httpx2

from faults.outcome import Outcome
from faults.proxy import Proxy
from faults.rows.database import healed, post
from faults.world import World, world

_DELAY = 5.0
_SHORT_CUTS = (4.0, 7.0, 6.0)
"""Seconds: a little over a lease, over two, and slow for two."""

_BLINK = 1.3
"""Seconds, well below a lease: the replica stays alive, and does not know which of its commits were made."""


async def cut(*, full: bool) -> Outcome:
    """The last replica alone has a network that holds; each of the others has one of its own."""
    async with world() as scene:
        address = urlsplit(scene.url)
        proxies = [Proxy(address.port or 0) for _ in range(2)]
        try:
            for proxy in proxies:
                port = await proxy.start()
                await scene.add_replicas(1, url=address._replace(netloc=f"postgres@127.0.0.1:{port}").geturl())
            await scene.add_replicas(1)
            await post(scene)
            lengths = [random.uniform(1, 60) for _ in range(20)] if full else _SHORT_CUTS  # noqa: S311  # no secret
            back = [await _fault(scene, proxies[number % 2], number, seconds) for number, seconds in enumerate(lengths)]
            back += [await _lose_commits(scene, proxies[number % 2]) for number in range(10 if full else 4)]
            await asyncio.sleep(11)
            hung = [line for replica in scene.replicas if (line := await _hangs(replica.url))]
            outcome = healed(await scene.finish(), scene, back)
            outcome.wrong += hung
            outcome.notes.append("cut by a proxy in between, not in the kernel")
            return outcome
        finally:
            for proxy in proxies:
                await proxy.stop()


async def _fault(scene: World, proxy: Proxy, number: int, seconds: float) -> float:
    kinds: list[tuple[str, Callable[[Proxy], None]]] = [
        ("both ways cut", _cut_both),
        ("answers cut", _cut_back),
        (f"slow by {_DELAY:g} s", _slow),
        ("questions cut", _cut_there),
    ]
    what, do = kinds[number % len(kinds)]
    scene.mark(what)
    do(proxy)
    await asyncio.sleep(seconds)
    for way in (proxy.there, proxy.back):
        way.mend()
        way.seconds = 0
    scene.mark("mended")
    await asyncio.sleep(2)
    return scene.marks[-1][0]


async def _lose_commits(scene: World, proxy: Proxy) -> float:
    """An instant falls into it, so that some of them are claims."""
    scene.mark("answers to commits lost")
    proxy.loses_commits = True
    await asyncio.sleep(_BLINK)
    proxy.loses_commits = False
    await asyncio.sleep(_BLINK)
    return scene.marks[-1][0]


def _cut_both(proxy: Proxy) -> None:
    proxy.there.cut()
    proxy.back.cut()


def _cut_back(proxy: Proxy) -> None:
    proxy.back.cut()


def _cut_there(proxy: Proxy) -> None:
    proxy.there.cut()


def _slow(proxy: Proxy) -> None:
    proxy.there.seconds = proxy.back.seconds = _DELAY / 2


async def _hangs(url: str) -> str | None:
    async with httpx2.AsyncClient(base_url=url, timeout=5) as client:
        answer = await client.get("/readyz")
        return None if answer.is_success else f"a replica is not ready again: {answer.status_code} {answer.text}"
