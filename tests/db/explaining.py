"""What the ledger says became of instants, for tests."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from app.db.runs import RunFilter
from app.domain.clock import FakeClock
from app.domain.explanation import Explanation
from app.domain.job import PersistedJob
from app.domain.policies import Policies
from app.domain.run import Run
from app.service.explain import Asked
from tests.db.building import ME, MINUTE, ONCE, OTHER, SECOND, Ledger, ended

MILLISECOND = timedelta(milliseconds=1)


async def told(ledger: Ledger, job: str | UUID | PersistedJob, at: datetime) -> Explanation:
    """Of one instant."""
    which = job.name if isinstance(job, PersistedJob) else job
    [one], more = await ledger.history.explain(which, Asked(at), None, 10)
    assert not more
    assert one.at == at
    return one


async def sentence(ledger: Ledger, job: str | UUID | PersistedJob, at: datetime) -> tuple[str, str]:
    """The verdict and the sentence; runs are named by the instants they are for, such as `<12:01:00 schedule>`."""
    which = job.name if isinstance(job, PersistedJob) else job
    return await plain(ledger, await told(ledger, which, at))


async def plain(ledger: Ledger, one: Explanation) -> tuple[str, str]:
    text = one.sentence
    for run in await runs(ledger):
        text = text.replace(str(run.id), f"<{run.scheduled_for:%H:%M:%S} {run.trigger}>")
    return one.finding.value, text


async def every(ledger: Ledger, job: PersistedJob | UUID, start: datetime, end: datetime) -> list[Explanation]:
    """Of all due instants in [start, end), by pages of seven."""
    found: list[Explanation] = []
    more, after = True, None
    while more:
        which = job.name if isinstance(job, PersistedJob) else job
        page, more = await ledger.history.explain(which, Asked(start, end), after, 7)
        found += page
        after = page[-1].at if page else None
    return found


async def runs(ledger: Ledger) -> list[Run]:
    return await ledger.runs.page(RunFilter(), None, 1000)


async def due(ledger: Ledger, clock: FakeClock, *jobs: PersistedJob, late: timedelta = 12 * MILLISECOND) -> None:
    """The next occurrence of each is claimed a little late, called for a second, and succeeds."""
    clock.step(late)
    claims = await ledger.claim(clock.now(), *jobs)
    if claims.started:
        await ledger.record(*[ended(run) for run in claims.started])
    await ledger.replicas.beat(ME)
    clock.step(SECOND)


async def made(ledger: Ledger, clock: FakeClock, policies: Policies = ONCE, **more: Any) -> PersistedJob:
    """A job that is due just now; both replicas are there."""
    job = await ledger.create(policies=policies, **more)
    for replica in (ME, OTHER):
        await ledger.replicas.join(replica, "here")
    clock.step(MINUTE)
    await beat(ledger)
    return job


async def beat(ledger: Ledger) -> None:
    for replica in (ME, OTHER):
        await ledger.replicas.beat(replica)
