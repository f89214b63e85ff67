"""A whole simulation: fifty jobs, so many steps, and an end at which nothing may be left undone."""

from __future__ import annotations

from dataclasses import dataclass

from tests.simulation import people
from tests.simulation.audited import audit
from tests.simulation.mirror import Violation, told
from tests.simulation.steps import CREATE, GO_ON, STOP, take, take_one
from tests.simulation.told import check_explanations
from tests.simulation.world import World, simulated

AUDIT_EVERY = 250
_PATIENCE = 1_500
"""So many steps in which no run begins or ends, though all is well: what is pending then is stuck."""


@dataclass(frozen=True, slots=True)
class Summary:
    """`instants` are those that were due and have their rows or spans, `digest` names the course of events."""

    steps: int
    days: float
    instants: int
    runs: int
    digest: str


async def simulate(url: str, seed: int, steps: int, *, until: int | None = None, steady: bool = False) -> Summary:
    """The steps share out the time; after the step `until` the end begins.

    Raises Violation, whose message tells the seed and the last steps.
    """
    async with simulated(url, seed, steps, steady=steady) as world:
        try:
            await world.ledger.auditor.audit()
            await _populate(world)
            while world.number < (until or steps):
                await take_one(world)
                if world.number % AUDIT_EVERY == 0:
                    await audit(world)
            await _end_well(world)
        except Exception as error:
            raise Violation(_report(world, seed, until, error)) from error
        days = (world.clock.now() - world.begin).total_seconds() / 86400
        return Summary(world.number, days, world.accounts.instants, len(world.mirror.runs), world.digest)


async def _populate(world: World) -> None:
    while len(world.jobs) < people.JOBS:
        await take(world, CREATE)


async def _end_well(world: World) -> None:
    """Everybody is well, and time passes: what is due is claimed, and what was begun comes to its end."""
    world.calm = True
    for replica in world.replicas:
        replica.frozen_until, replica.skew = float("-inf"), replica.skew * 0
    if world.stopped:
        await take(world, GO_ON)
    await _all_claim(world)
    await take(world, STOP)
    while world.mirror.unended:
        await take_one(world)
        if world.number - world.moved > _PATIENCE:
            runs = [world.mirror.runs[run] for run in world.mirror.unended]
            raise Violation("stuck:\n" + "\n".join(f"  {told(run)} due {run.due_at}" for run in runs))
    await take(world, GO_ON)
    await world.check_everything()
    await check_explanations(world)
    await audit(world)


async def _all_claim(world: World) -> None:
    """No job may be forgotten by all replicas."""
    since, first = world.clock.now(), world.number
    while forgotten := await world.accounts.overdue(since):
        for _ in range(20):
            await take_one(world)
        if world.number - first > _PATIENCE:
            raise Violation(f"stuck: nobody claims what is due of {forgotten}")


def _report(world: World, seed: int, until: int | None, error: Exception) -> str:
    store = world.ledger.database.dialect
    end = "" if until is None else f" --until {until}"
    again = (
        f"python -m tests.simulation --seed {seed} --steps {world.steps}{end} --store {store}"
        f"{' --steady' * world.steady}"
    )
    last = "\n".join(map(str, world.recent))
    what = str(error) if isinstance(error, Violation) else f"{type(error).__name__}: {error}"
    return (
        f"seed {seed}, step {world.number} of {world.steps} on {store}:\n{what}\n\nthe last steps:\n{last}\n\n{again}"
    )
