from __future__ import annotations

import pytest

from tests.simulation.course import simulate
from tests.simulation.seeds import FAILED_ONCE, SHORT


@pytest.mark.parametrize("seed", [7])
async def test_each_due_instant_is_accounted_for_once_whatever_happens(database_url: str, seed: int) -> None:
    summary = await simulate(database_url, seed, SHORT)
    assert summary.instants > SHORT / 10


@pytest.mark.parametrize(("seed", "steps"), FAILED_ONCE)
async def test_a_seed_that_failed_once(sqlite_url: str, seed: int, steps: int) -> None:
    await simulate(sqlite_url, seed, steps)
