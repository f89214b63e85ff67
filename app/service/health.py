"""Whether this replica is alive, which needs no database, and whether it is ready, which does."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from app.db.engine import Database
from app.db.migrate import is_current
from app.db.transaction import reading
from app.domain.errors import StoreUnavailable
from app.domain.replica import Role
from app.scheduler.service import SchedulerService

BOUND = 2.0
"""Seconds that a probe waits for the database."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must hold for a replica to be ready."""

    name: str
    ok: bool
    detail: str


async def readiness(database: Database, scheduler: SchedulerService) -> list[Check]:
    """Every check, those that hold and those that don't."""
    return [*await _database_checks(database), *_scheduler_checks(scheduler)]


async def database_reached(database: Database) -> bool:
    try:
        async with asyncio.timeout(BOUND), reading(database) as tx:
            await tx.time()
    except (StoreUnavailable, TimeoutError):
        return False
    return True


async def _database_checks(database: Database) -> list[Check]:
    """Reached within bounds, and at the newest migration."""
    current = False
    reached = await database_reached(database)
    if reached:
        current = await _migrated(database)
    return [
        Check("database", reached, "reached" if reached else f"not reached within {BOUND:g} s"),
        Check("migrations", current, "current" if current else "not at the newest" if reached else "not known"),
    ]


async def _migrated(database: Database) -> bool:
    try:
        async with asyncio.timeout(BOUND):
            return await is_current(database)
    except (StoreUnavailable, TimeoutError):
        return False


def _scheduler_checks(scheduler: SchedulerService) -> list[Check]:
    if scheduler.role is Role.API:
        return []
    stalled, loaded, claiming = scheduler.stalled(), scheduler.follower.loaded, scheduler.claiming
    ticked = scheduler.ticker.loop.last_step is not None and not stalled
    standing = f"standing still: {', '.join(stalled)}" if stalled else "not begun"
    return [
        Check("loops", ticked, "ticking" if ticked else standing),
        Check("entries", loaded, "loaded" if loaded else "not loaded"),
        Check("claiming", claiming, "claiming" if claiming else "not claiming: starting or shutting down"),
    ]
