"""Whether the auditor, who knows the schedules alone, arrives at what the oracle lists and the ledger tells."""

from __future__ import annotations

from datetime import timedelta

from app.domain.explanation import Finding
from app.domain.stats import Figures
from app.service.stats import StatsAsked, StatsService
from tests.simulation.mirror import Violation
from tests.simulation.world import World

_FOR_EVER = timedelta(days=10_000)
_PAGE = 1000


async def audit(world: World) -> None:
    """Count up to now, and look for what is unaccounted. Raises Violation."""
    await world.ledger.auditor.audit_until(world.clock.now())
    asked = StatsAsked(since=world.begin, until=world.clock.now() + timedelta(days=1))
    stats, more = await StatsService(world.ledger.database, _FOR_EVER).stats(asked, None, _PAGE)
    if stats.counted is None or stats.counted.since > world.begin or more:
        raise Violation(f"counted is {stats.counted}, and not all")
    accounts = await world.accounts.of_jobs()
    for job in stats.jobs:
        account = accounts[job.job_id]
        due = sum(at < stats.until for at in account.due)
        if fault := _fault(job.figures, due):
            raise Violation(f"job {job.job_id}: {fault} before {stats.until}\n{account}")
    if sum(job.figures.due for job in stats.jobs) != stats.total.due:
        raise Violation(f"the jobs don't add up to {stats.total}")


def _fault(figures: Figures, due: int) -> str | None:
    told = sum(figures.outcomes.states.values()) + sum(figures.absent.values())
    unaccounted = figures.absent.get(Finding.UNACCOUNTED, 0)
    if unaccounted or figures.due != due or told != due:
        return f"{unaccounted} unaccounted, {figures.due} counted, {told} told of, {due} due"
    return None
