"""`python -m faults`: real faults with real processes, and what the ledger and the target say of them afterwards."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import time
import traceback
from collections.abc import Coroutine, Sequence

from faults.outcome import FOLDERS, Outcome, keep, row_of, summary
from faults.picture import draw
from faults.table import TABLE, Entry

LANES = 2
LIMIT = {"short": 480.0, "full": 3000.0}
"""Seconds after which a row is broken off."""


def main() -> int:
    options = _options()
    chosen = [entry for entry in TABLE if not options.only or entry.name in options.only]
    since = time.monotonic()
    held = asyncio.run(_until_told(_short(chosen) if options.short else _full(chosen)))
    folder = FOLDERS["short" if options.short else "full"]
    sys.stdout.write(f"{sum(held)} of {len(held)} rows hold, in {time.monotonic() - since:.0f} s: {folder}/table.md\n")
    return 0 if all(held) else 1


async def _until_told(rows: Coroutine[None, None, list[bool]]) -> list[bool]:
    """SIGTERM ends it as Ctrl-C does: what was started is ended first."""
    task = asyncio.ensure_future(rows)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    return await task


async def _full(chosen: Sequence[Entry]) -> list[bool]:
    return [await _run(entry, "full") for entry in chosen]


async def _short(chosen: Sequence[Entry]) -> list[bool]:
    """Those that mostly wait go side by side; each has a world of its own."""
    held = [await _run(entry, "short") for entry in chosen if entry.alone]
    waiting = iter([entry for entry in chosen if not entry.alone])

    async def one_by_one() -> list[bool]:
        return [await _run(entry, "short") for entry in waiting]

    return held + [each for lane in await asyncio.gather(*(one_by_one() for _ in range(LANES))) for each in lane]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m faults", description=(__doc__ or "").partition(": ")[2])
    parser.add_argument("--short", action="store_true", help="the short form of each row: together under 8 minutes")
    names = [entry.name for entry in TABLE]
    parser.add_argument("--only", nargs="*", choices=names, metavar="F5", help="these rows of the table alone")
    return parser.parse_args()


async def _run(entry: Entry, form: str) -> bool:
    since = time.monotonic()
    try:
        outcome = await asyncio.wait_for(entry.run(full=form == "full"), LIMIT[form])
    except TimeoutError:
        outcome = Outcome(wrong=[f"not over within {LIMIT[form]:g} s", traceback.format_exc()])
    except Exception:  # noqa: BLE001  # the other rows are still to be run
        outcome = Outcome(wrong=[traceback.format_exc()])
    row = row_of(outcome, name=entry.name, fault=entry.fault, form=form, seconds=time.monotonic() - since)
    keep(row)
    draw(row)
    sys.stdout.write(summary(row) + "\n")
    sys.stdout.flush()
    return row.holds


if __name__ == "__main__":
    raise SystemExit(main())
