"""`python -m tests.fuzz`: what reads texts from outside is given texts of all kinds, each for so many seconds."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from itertools import count

from hypothesis import HealthCheck, given, seed, settings
from hypothesis.strategies import SearchStrategy, tuples

from tests.fuzz.cursors import KINDS, TEXTS, is_key_or_refusal
from tests.unit.domain.schedule import test_fuzz as schedules
from tests.unit.target import test_endpoint as endpoints

Fuzz = tuple[str, Callable[..., None], Sequence[SearchStrategy[object]]]
ALL: list[Fuzz] = [
    ("schedules", schedules.is_schedule_or_refusal, [schedules.TEXTS, schedules.ZONES]),
    ("endpoints", endpoints.is_read_alike_or_refused, [endpoints.URLS]),
    ("cursors", is_key_or_refusal, [KINDS, TEXTS]),
]
_AT_ONCE = 500


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=(__doc__ or "").partition(": ")[2])
    parser.add_argument("--seconds", type=float, default=60, help="for each")
    options = parser.parse_args()
    for name, holds, strategies in ALL:
        tried = _fuzz(holds, strategies, options.seconds)
        sys.stdout.write(f"{name}: {tried} tried in {options.seconds:g} s, all read or refused\n")
        sys.stdout.flush()
    return 0


def _fuzz(holds: Callable[..., None], strategies: Sequence[SearchStrategy[object]], seconds: float) -> int:
    """How many were tried: the same ones each time, as far as it gets.

    What does not hold is raised, with the smallest text that shows it.
    """
    tried = 0

    def counted(values: tuple[object, ...]) -> None:
        nonlocal tried
        tried += 1
        holds(*values)

    until, seeds = time.monotonic() + seconds, count(1)
    each = settings(max_examples=_AT_ONCE, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    while time.monotonic() < until:
        seed(next(seeds))(each(given(tuples(*strategies))(counted)))()
    return tried


if __name__ == "__main__":
    sys.exit(main())
