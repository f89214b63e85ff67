"""F11: the primary dies, and its standby, which has every commit, takes its place."""

from __future__ import annotations

import asyncio
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import asyncpg

from faults.ledger import Ledger
from faults.outcome import Outcome, lag_figures
from faults.rows.database import healed, post
from faults.world import World, migrated
from tests.servers.postgres import SETTINGS, PostgresProcess, PostgresServer, plain_dsn

_NAME = "standby"


async def promoted(*, full: bool) -> Outcome:
    """Each time with a new pair: whose primary was killed has no standby left."""
    rounds = [await _once(full=full) for _ in range(5 if full else 1)]
    together = rounds[0]
    for each in rounds[1:]:
        together.wrong += each.wrong
        together.lags = [*together.lags, *each.lags]
        together.marks = [*together.marks, *each.marks]
        together.figures = {name: _both(name, together.figures[name], value) for name, value in each.figures.items()}
    together.figures |= lag_figures(together.lags)
    return together


def _both(name: str, one: float, other: float) -> float:
    """Counts add up; how long it took is told of the worst."""
    return max(one, other) if name == "healed_in" else one + other


async def _once(*, full: bool) -> Outcome:
    folder = Path(tempfile.mkdtemp(prefix="cronledger-standby-"))
    folder.chmod(0o755)
    try:
        primary = await asyncio.to_thread(PostgresProcess, _within(folder, "primary"), settings=SETTINGS)
        await asyncio.to_thread(primary.start)
        url = PostgresServer(primary.url).create_database()
        await asyncio.to_thread(migrated, url)
        standby = await asyncio.to_thread(_follow, primary, _within(folder, "standby"))
        try:
            await _make_synchronous(primary)
            return await _lose(World(primary, _either(url, standby)), url, standby, full=full)
        finally:
            standby.process.stop(signal.SIGQUIT)
            if primary.process.running:
                primary.process.stop(signal.SIGQUIT)
    finally:
        shutil.rmtree(folder)


async def _lose(scene: World, url: str, standby: PostgresProcess, *, full: bool) -> Outcome:
    scene.ledger = Ledger(url)
    try:
        await scene.add_replicas(2)
        await post(scene, full=full)
        await asyncio.sleep(4)
        waits = await scene.ledger.value("SELECT sync_state FROM pg_stat_replication")
        assert waits == "sync", f"the standby is {waits}"
        scene.mark("primary killed")
        await asyncio.to_thread(scene.postgres.process.stop, signal.SIGQUIT)
        await asyncio.sleep(1)
        await _promote(standby)
        scene.mark("standby promoted")
        scene.ledger = Ledger(url.replace(f":{_port(scene.postgres)}/", f":{_port(standby)}/"))
        back = time.time()
        await asyncio.sleep(12)
        return healed(await scene.finish(), scene, [back])
    finally:
        await scene.close()


def _within(folder: Path, name: str) -> Path:
    made = folder / name
    made.mkdir()
    return made


def _follow(primary: PostgresProcess, folder: Path) -> PostgresProcess:
    """What initdb made in its folder gives way to a copy of the primary."""
    standby = PostgresProcess(folder, settings=SETTINGS)
    shutil.rmtree(folder / "data")
    told = f"host=127.0.0.1 port={_port(primary)} user=postgres application_name={_NAME}"
    copied = subprocess.run(
        [f"{standby._binaries}/pg_basebackup", "-D", f"{folder}/data", "-d", told, "-R", "-X", "stream", "-c", "fast"],
        user=standby._user,
        group=standby._user,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert copied.returncode == 0, copied.stderr
    standby._process = standby._run(
        "postgres", f"--port={_port(standby)}", *(f"--{name}={value}" for name, value in SETTINGS.items())
    )
    standby.process.wait_for_line("ready to accept read-only connections")
    return standby


async def _make_synchronous(primary: PostgresProcess) -> None:
    connection = await asyncpg.connect(plain_dsn(primary.url))
    try:
        await connection.execute(f"ALTER SYSTEM SET synchronous_standby_names = '{_NAME}'")
        await connection.execute("SELECT pg_reload_conf()")
    finally:
        await connection.close()


async def _promote(standby: PostgresProcess) -> None:
    connection = await asyncpg.connect(plain_dsn(standby.url))
    try:
        assert await connection.fetchval("SELECT pg_promote(true, 30)")
    finally:
        await connection.close()


def _port(server: PostgresProcess) -> int:
    return server._port


def _either(url: str, standby: PostgresProcess) -> str:
    """Both servers; the driver takes the one that can be written to."""
    head, _, rest = url.partition("@")
    address, _, name = rest.partition("/")
    hosts = f"host={address}&host=127.0.0.1:{_port(standby)}"
    return f"{head}@/{name}?{hosts}&target_session_attrs=read-write"
