"""What holds after every test with replicas as processes, whatever was done to them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from tests.e2e.audited import nothing_is_unaccounted


@pytest.fixture(autouse=True)
def everything_is_accounted_for(request: pytest.FixtureRequest) -> Iterator[None]:
    """Set up before the replicas, and so looked at when they are gone."""
    names = [name for name in ("database_url", "postgres_url") if name in request.fixturenames]
    url = str(request.getfixturevalue(names[0])) if names and "replicas" in request.fixturenames else None
    yield
    if url is not None:
        asyncio.run(nothing_is_unaccounted(url, None))
