"""F3 and F13: PostgreSQL that is restarted, and PostgreSQL whose disk is full."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import asyncpg
import httpx2

from faults.check import Found
from faults.outcome import Outcome
from faults.world import World, migrated, world
from tests.servers.postgres import SETTINGS, PostgresProcess, PostgresServer

HEALED_WITHIN = 10.0
_DOWN = 2.0
_ROOM = "260m"


async def restarted(*, full: bool) -> Outcome:
    """Fast and immediate in turn; the replicas are left alone."""
    async with world() as scene:
        await scene.add_replicas(2)
        await post(scene, full=full)
        back: list[float] = []
        for number in range(20 if full else 3):
            how = (signal.SIGINT, signal.SIGQUIT)[number % 2]
            scene.mark("fast restart" if how == signal.SIGINT else "immediate restart")
            await asyncio.to_thread(scene.postgres.process.stop, how)
            await asyncio.sleep(_DOWN)
            await asyncio.to_thread(scene.postgres.start)
            back.append(_now(scene, "back"))
            await asyncio.sleep(6)
        await asyncio.sleep(HEALED_WITHIN - 4)
        return healed(await scene.finish(), scene, back)


async def full_disk(*, full: bool) -> Outcome:
    """On a small file system of its own, filled to the last byte, and freed; jobs are created all the while."""
    with _small_disk() as folder:
        settings = {**SETTINGS, "max_wal_size": "64MB", "min_wal_size": "32MB"}
        server = await asyncio.to_thread(PostgresProcess, folder, settings=settings)
        await asyncio.to_thread(server.start)
        scene: World | None = None
        try:
            url = PostgresServer(server.url).create_database()
            await asyncio.to_thread(migrated, url)
            scene = World(server, url)
            return await _filled(scene, folder, full=full)
        finally:
            if scene is not None:
                await scene.close()
            server.process.stop(signal.SIGQUIT)


async def _filled(scene: World, folder: Path, *, full: bool) -> Outcome:
    await scene.add_replicas(2)
    await post(scene, full=full)
    back: list[float] = []
    told: list[str] = []
    for number in range(5 if full else 1):
        scene.mark("disk full")
        _fill(folder)
        told += await _create(scene, f"full-{number}", 6)
        (folder / "ballast").unlink()
        if not await _answers(scene):
            await asyncio.to_thread(scene.postgres.process.stop, signal.SIGQUIT)
            await asyncio.to_thread(scene.postgres.start)
        back.append(_now(scene, "freed"))
        await asyncio.sleep(HEALED_WITHIN + 2)
    stored = {row["name"] for row in await scene.ledger.fetch("SELECT name FROM cron_jobs")}
    outcome = healed(await scene.finish(), scene, back)
    outcome.figures |= {"told_2xx": len(told)}
    if outcome.figures["lag_max"] < 1:
        outcome.wrong.append("nothing was late: the disk was not full")
    outcome.wrong += [f"{name} was answered with 201, and is not there" for name in told if name not in stored]
    return outcome


async def post(scene: World, *, full: bool) -> None:
    """Fewer in short: a slow machine with another row beside this one is not to be what makes calls late."""
    count = 20 if full else 6
    await scene.post_jobs("plain", count * 2)
    await scene.post_jobs("slow", count, path="/slow/300")
    await scene.post_jobs("once", count, path="/slow/300", delivery="at_most_once")


def healed(found: Found, scene: World, back: list[float]) -> Outcome:
    """A replica that got over it calls on time again: ten seconds after the database was back nothing came late."""
    outcome = Outcome.of(found, scene.marks, faults=len(back))
    again = [min((at for at, _ in found.lags if at >= since), default=since + 99) - since for since in back]
    outcome.figures["healed_in"] = round(max(again), 1)
    outcome.wrong += [
        f"no call within {took:.1f} s after the database was back" for took in again if took > HEALED_WITHIN
    ]
    late = [lag for at, lag in found.lags if at - lag > max(back) + HEALED_WITHIN]
    if late and sorted(late)[len(late) // 2] > 1:
        outcome.wrong.append(f"calls are still {max(late):.1f} s late {HEALED_WITHIN:g} s after the database was back")
    return outcome


def _now(scene: World, what: str) -> float:
    scene.mark(what)
    return scene.marks[-1][0]


@contextmanager
def _small_disk() -> Iterator[Path]:
    """It takes root."""
    place = Path(tempfile.mkdtemp(prefix="cronledger-disk-"))
    try:
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={_ROOM},mode=755", "tmpfs", place], check=True)
        try:
            folder = place / "postgres"
            folder.mkdir()
            yield folder
        finally:
            subprocess.run(["umount", place], check=True)
    finally:
        shutil.rmtree(place)


def _fill(folder: Path) -> None:
    with (folder / "ballast").open("wb", buffering=0) as ballast, suppress(OSError):
        while ballast.write(bytes(1 << 16)):
            os.fsync(ballast.fileno())


async def _create(scene: World, prefix: str, seconds: float) -> list[str]:
    """The names of the jobs whose creation was answered with 201."""
    told: list[str] = []
    body = {"schedule": "0 0 1 1 *", "endpoint": scene.target.url, "body": "x" * 20_000}
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds), httpx2.AsyncClient(base_url=scene.replicas[1].url, timeout=10) as client:
            for number in range(10_000):
                name = f"{prefix}-{number}"
                answer = await client.post("/v1/jobs", json=body | {"name": name})
                if answer.status_code == 201:
                    told.append(name)
                else:
                    await asyncio.sleep(0.05)
    return told


async def _answers(scene: World) -> bool:
    """Whether it has come back by itself: PostgreSQL stops for good where its own recovery finds no room."""
    for _ in range(20):
        with suppress(OSError, asyncpg.PostgresError, TimeoutError):
            await scene.ledger.now()
            return True
        await asyncio.sleep(0.25)
    return False
