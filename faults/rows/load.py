"""F1 and F14: no fault but the load, and targets that misbehave beside it."""

from __future__ import annotations

import asyncio

from faults.outcome import Outcome, lag_figures
from faults.target import Target
from faults.world import World, world

BOUND = 1.0
_WARM_UP = 3.0
"""Seconds in which connections open; their lag is not judged."""


async def nothing(*, full: bool) -> Outcome:
    async with world() as scene:
        await scene.add_replicas(3)
        await scene.post_jobs("load", 1000 if full else 300)
        await asyncio.sleep(600 if full else 30)
        found = await scene.finish()
        return _judged(Outcome.of(found, scene.marks), scene, full=full)


async def bad_targets(*, full: bool) -> Outcome:
    """Those that misbehave are another host, since places are shared by host."""
    bad = Target()
    try:
        async with world() as scene:
            await scene.add_replicas(3, PER_HOST_CONCURRENCY="50")
            await _post_bad(scene, bad)
            await scene.post_jobs("load", 1000 if full else 300)
            await asyncio.sleep(600 if full else 30)
            end = await scene.ledger.now()
            await _leave_out_bad(scene)
            found = await scene.finish(end)
            outcome = Outcome.of(found, scene.marks, bad_calls=len(await asyncio.to_thread(bad.calls)))
            return _judged(outcome, scene, full=full)
    finally:
        bad.kill()


async def _post_bad(scene: World, bad: Target) -> None:
    for kind in ("hang", "reset", "drip"):
        scene.mark(f"targets that {kind}")
        await scene.post_jobs(kind, 20, endpoint=f"{bad.url}/{kind}", timeout_seconds=10, may_fail=True)


async def _leave_out_bad(scene: World) -> None:
    """Ten seconds each, and more of them than places: they are never through. The others are judged."""
    scene.jobs = [job for job in scene.jobs if job.name.startswith("load")]
    await scene.ledger.fetch("UPDATE cron_jobs SET enabled = false WHERE name NOT LIKE 'load-%'")


def _judged(outcome: Outcome, since: World, *, full: bool) -> Outcome:
    """The bound is one for the machine too: the short form, which others may be busy beside, only tells of it."""
    first = min(job.first for job in since.jobs).timestamp() + _WARM_UP
    outcome.figures |= lag_figures([lag for lag in outcome.lags if lag[0] >= first])
    if outcome.figures.get("lag_p99", 0) >= BOUND:
        (outcome.wrong if full else outcome.notes).append(
            f"lag p99 is over {BOUND:g} s on this machine under this load"
        )
    return outcome
