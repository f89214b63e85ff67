"""`python -m tests.mess`: a night that goes wrong, with two replicas, and what the ledger says of it in the morning.

The replicas, the target and PostgreSQL are real processes; PostgreSQL's clock, by which all is judged, is put on where
nothing is due and no call is under way, so that the night passes in two minutes.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time

from app.db import migrate
from tests.mess.clock import Clock, clock_from
from tests.mess.document import differs, tables, write
from tests.mess.moments import Moments, instant
from tests.mess.night import Night
from tests.mess.report import Report
from tests.mess.target import Target
from tests.servers.postgres import running_postgres


def main() -> int:
    options = _options()
    since = time.monotonic()
    with clock_from(instant("23:49:30")) as clock, running_postgres(environment=clock.environment) as server:
        migrate.upgrade(server.url)
        report = asyncio.run(_night(server.url, clock))
    if report.faults:
        sys.stderr.write("\n".join(["What was told is not what happened:", *report.faults, ""]))
        return 1
    sys.stdout.write(tables(report.rows))
    if options.write:
        write(report.rows)
    elif differs(report.rows):
        sys.stderr.write("docs/explain.md has not what was told: make mess ARGS=--write\n")
        return 1
    told = sum(map(len, report.rows.values()))
    sys.stdout.write(f"{told} instants told rightly, in {time.monotonic() - since:.0f} s\n")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mess", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--write", action="store_true", help="put what is told into docs/explain.md")
    return parser.parse_args()


async def _night(url: str, clock: Clock) -> Report:
    moments = Moments(clock)
    async with Target() as target:
        night = Night(url, target, moments)
        try:
            await night.pass_by()
            report = Report(moments, target)
            await report.look(night)
            return report
        finally:
            await night.close()


if __name__ == "__main__":
    raise SystemExit(main())
