from __future__ import annotations

import pytest

from tests.simulation.course import simulate
from tests.simulation.seeds import FAILED_ONCE, SHORT


async def test_each_due_instant_is_accounted_for_once_whatever_happens(database_url: str) -> None:
    summary = await simulate(database_url, 7, SHORT)
    assert summary.instants > SHORT / 10


@pytest.mark.parametrize(("seed", "steps", "until"), FAILED_ONCE)
async def test_a_seed_that_failed_once_fails_no_more(sqlite_url: str, seed: int, steps: int, until: int | None) -> None:
    await simulate(sqlite_url, seed, steps, until=until)
