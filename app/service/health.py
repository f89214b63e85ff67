"""Whether this replica is alive, which needs no database, and whether it is ready, which does."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from app.db.engine import Database
from app.db.migrate import standing_of
from app.db.schema_level import Standing
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
    """Reached within bounds, and with a schema on which this release can run."""
    reached = await database_reached(database)
    standing = await _standing(database) if reached else None
    usable = standing is not None and standing.usable
    return [
        Check("database", reached, "reached" if reached else f"not reached within {BOUND:g} s"),
        Check("migrations", usable, "not known" if standing is None else standing.value),
    ]


async def _standing(database: Database) -> Standing | None:
    try:
        async with asyncio.timeout(BOUND):
            return await standing_of(database)
    except (StoreUnavailable, TimeoutError):
        return None


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
