from __future__ import annotations

from tests.simulation.course import simulate
from tests.simulation.seeds import SHORT


async def test_each_due_instant_is_accounted_for_once_whatever_happens(database_url: str) -> None:
    summary = await simulate(database_url, 7, SHORT)
    assert summary.instants > SHORT / 10
