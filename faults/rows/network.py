"""F4: the network between a replica and PostgreSQL, cut one way and both, and slow."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from urllib.parse import urlsplit

import httpx2

from faults.check import Found
from faults.late import ON_THEIR_WAY, called_late
from faults.links import Link, links
from faults.outcome import Outcome
from faults.proxy import Proxy
from faults.rows.database import healed, post
from faults.world import SETTINGS, World, world
from tests.servers.replica import Replica

_DELAY = 5.0
_SHORT = (4.0, 7.0, 6.0, 5.0)
"""Seconds of each kind in turn: a little over a lease, and over two."""

_SILENT_FOR = 5.0
"""Seconds. Jobs are due each second, and four replicas of five are well."""

_BLINK = 1.3
"""Seconds, well below a lease: the replica stays alive, and does not know which of its commits were made."""


async def cut(*, full: bool) -> Outcome:
    """Two replicas have a link each that is cut, two a proxy that is slow and loses commits; the last one is safe."""
    made = links(3)
    within, [safe, *lines] = await asyncio.to_thread(made.__enter__)
    try:
        async with world(host=safe.address, within=within) as scene:
            proxies = [Proxy(_port(scene), safe.address) for _ in range(2)]
            try:
                hosts = [(line.address, _port(scene)) for line in lines]
                hosts += [("127.0.0.1", await proxy.start()) for proxy in proxies]
                urls = [*(_at(scene, host, port) for host, port in hosts), scene.url]
                await scene.start(*(Replica(url, SETTINGS) for url in urls))
                await post(scene, full=full)
                return await _all(scene, lines, proxies, full=full)
            finally:
                for proxy in proxies:
                    await proxy.stop()
    finally:
        await asyncio.to_thread(made.__exit__, None, None, None)


async def _all(scene: World, lines: list[Link], proxies: list[Proxy], *, full: bool) -> Outcome:
    lengths = [random.uniform(1, 60) for _ in range(20)] if full else _SHORT  # noqa: S311  # no secret
    back: list[float] = []
    for number, seconds in enumerate(lengths):
        kind = KINDS[number % len(KINDS)]
        back.append(await _fault(scene, kind, (lines, proxies), number // len(KINDS), seconds))
    back += [await _lose_commits(scene, proxies[number % 2]) for number in range(10 if full else 4)]
    await asyncio.sleep(11)
    hung = [line for replica in scene.replicas if (line := await _hangs(replica.url))]
    found = await scene.finish()
    outcome = healed(found, scene, back)
    outcome.wrong += hung
    outcome.figures |= {"silent_for": round(silence := _longest_silence(found), 1)}
    if silence > _SILENT_FOR:
        outcome.wrong.append(f"nobody called anything for {silence:.1f} s, and the network of one replica was meant")
    outcome.figures |= {"commits_lost": sum(proxy.lost for proxy in proxies)}
    if not outcome.figures["commits_lost"]:
        outcome.wrong.append("no answer to a commit was lost: that part has shown nothing")
    outcome.figures |= {"late": await called_late(scene)}
    if outcome.figures["late"] > ON_THEIR_WAY:
        outcome.wrong.append(f"{outcome.figures['late']} calls came from replicas whose leases had ended")
    outcome.notes.append("slow and losing commits by a proxy in between, cut by the kernel")
    return outcome


@dataclass(frozen=True, slots=True)
class Kind:
    """What is done to a link, or to a proxy where `link` is None."""

    name: str
    link: Callable[[Link], None] | None = None


KINDS = [Kind("both ways cut", Link.cut), Kind("answers cut", Link.cut_answers), Kind(f"slow by {_DELAY:g} s")]
KINDS += [Kind("questions cut", Link.cut_questions)]


async def _fault(scene: World, kind: Kind, there: tuple[list[Link], list[Proxy]], turn: int, seconds: float) -> float:
    """When it was mended; each kind meets each replica of its sort in turn."""
    line, proxy = there[0][turn % 2], there[1][turn % 2]
    scene.mark(kind.name)
    if kind.link is not None:
        await asyncio.to_thread(kind.link, line)
        assert not await _passes(line, _port(scene)), f"{kind.name}, and it was not"
    else:
        _delay(proxy, _DELAY)
    await asyncio.sleep(seconds)
    await asyncio.to_thread(line.mend)
    _delay(proxy, 0)
    scene.mark("mended")
    await asyncio.sleep(2)
    assert await _passes(line, _port(scene)), f"{kind.name}, and it was not mended"
    return scene.marks[-1][0]


async def _lose_commits(scene: World, proxy: Proxy) -> float:
    """An instant falls into it, so that some of them are claims."""
    scene.mark("answers to commits lost")
    proxy.loses_commits = True
    await asyncio.sleep(_BLINK)
    proxy.loses_commits = False
    await asyncio.sleep(_BLINK)
    return scene.marks[-1][0]


def _longest_silence(found: Found) -> float:
    """Between two calls, whoever made them."""
    return max(after - before for before, after in pairwise(sorted(at for at, _ in found.lags)))


def _delay(proxy: Proxy, seconds: float) -> None:
    """There and back together."""
    proxy.there.seconds = proxy.back.seconds = seconds / 2


async def _passes(line: Link, port: int) -> bool:
    """Whether a connection is made: that takes both ways."""
    try:
        async with asyncio.timeout(0.5):
            _, writer = await asyncio.open_connection(line.address, port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


def _port(scene: World) -> int:
    return urlsplit(scene.url).port or 0


def _at(scene: World, host: str, port: int) -> str:
    return urlsplit(scene.url)._replace(netloc=f"postgres@{host}:{port}").geturl()


async def _hangs(url: str) -> str | None:
    async with httpx2.AsyncClient(base_url=url, timeout=5) as client:
        answer = await client.get("/readyz")
        return None if answer.is_success else f"a replica is not ready again: {answer.status_code} {answer.text}"
