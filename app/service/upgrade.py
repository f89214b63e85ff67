"""Bringing a database up to date: its schema, its partitions, and the next times of its jobs."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from app.db import migrate
from app.db.engine import connect
from app.service.recompute import recompute


def upgrade(url: str) -> int:
    """How many jobs were adopted, or computed anew under changed rules."""
    migrate.upgrade(url)
    return asyncio.run(_recompute(url))


def differences() -> list[str]:
    """How a database made by the migrations differs from the tables, tried on a fresh one of SQLite."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'fresh.db'}"
        migrate.upgrade(url)
        return migrate.differences(url)


async def _recompute(url: str) -> int:
    database = connect(url)
    try:
        return await recompute(database)
    finally:
        await database.close()
