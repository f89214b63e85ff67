"""Calls that a replica made after its lease had ended: by then its runs may be another's."""

from __future__ import annotations

import asyncio

from faults.world import LEASE, World

ON_THEIR_WAY = 2
"""Calls that began in time, and came so late on a busy machine."""

_DEAD = (
    "SELECT run_id, attempt, extract(epoch FROM heartbeat)::float AS heard"
    " FROM job_attempts JOIN replicas ON replicas.id = job_attempts.replica WHERE dead"
)
_SLACK = 0.5
"""Seconds from the start of a call to its arrival."""


async def called_late(scene: World) -> int:
    ended = {(row["run_id"], row["attempt"]): row["heard"] + LEASE for row in await scene.ledger.fetch(_DEAD)}
    calls = await asyncio.to_thread(scene.target.calls)
    return sum(call.at > ended.get((call.key, call.attempt), call.at) + _SLACK for call in calls)
