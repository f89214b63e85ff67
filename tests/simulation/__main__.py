"""`python -m tests.simulation`: the long simulation, of the seeds that failed once and of seed 1, or of any other."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.db import migrate
from tests.conftest import sqlite_url_of
from tests.servers.mariadb import MariadbServer, running_mariadb
from tests.servers.postgres import running_postgres
from tests.simulation.course import simulate
from tests.simulation.mirror import Violation
from tests.simulation.seeds import FAILED_ONCE

_IN_MEMORY = Path("/dev/shm")  # noqa: S108  # a folder of ours is made in it


def main() -> int:
    options = _options()
    courses = [(seed, options.steps, options.until) for seed in options.seed]
    try:
        for seed, steps, until in courses or [*FAILED_ONCE, (1, options.steps, options.until)]:
            _simulate(seed, steps, until, options)
    except Violation as violation:
        sys.stderr.write(f"{violation}\n")
        return 1
    return 0


def _simulate(seed: int, steps: int, until: int | None, options: argparse.Namespace) -> None:
    with _database(options.store) as url:
        migrate.upgrade(url)
        since = time.monotonic()
        summary = asyncio.run(simulate(url, seed, steps, until=until, steady=options.steady))
        took = time.monotonic() - since
    speed = f"{summary.steps} steps in {took:.0f} s ({summary.steps / took:.0f}/s)"
    what = f"{summary.days:.1f} days, {summary.instants} instants, {summary.runs} runs, {summary.digest}"
    sys.stdout.write(f"seed {seed} on {options.store}: {speed}, {what}\n")
    sys.stdout.flush()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--steps", type=int, default=50_000)
    parser.add_argument("--until", type=int, help="end after so many of them")
    parser.add_argument("--seed", type=int, nargs="+", default=[], help="one after the other")
    parser.add_argument("--store", choices=["sqlite", "postgresql", "mariadb"], default="sqlite")
    parser.add_argument("--steady", action="store_true", help="the database's clock never goes back")
    return parser.parse_args()


@contextmanager
def _database(store: str) -> Iterator[str]:
    if store == "postgresql":
        with running_postgres() as server:
            yield server.url
        return
    if store == "mariadb":
        with running_mariadb() as server:
            yield MariadbServer(server.url).create_database()
        return
    folder = _IN_MEMORY if _IN_MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="cronledger-simulation-", dir=folder) as path:
        yield sqlite_url_of(Path(path) / "cronledger.db")


if __name__ == "__main__":
    sys.exit(main())
