"""Two replicas claim and call while people change, pause, trigger and delete jobs, and turn the switch, all at once."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from app.db.tables import job_runs, job_versions
from app.domain.claim import Started
from app.domain.clock import FakeClock
from app.domain.errors import JobNotFound, NameTaken
from app.domain.recurrence import Recurrence
from tests.db.building import ME, OTHER, Ledger, cut_off, ended, roomy

STEPS = 40
NAMES = [f"job-{number}" for number in range(6)]
SCHEDULES = ["* * * * * *", "*/2 * * * * *", "*/3 * * * * *", "@every 4s"]


@pytest.mark.parametrize("seed", [1, 2])
async def test_every_instant_of_every_version_is_accounted_for_once(
    ledger: Ledger, rival: Ledger, clock: FakeClock, seed: int
) -> None:
    dice = random.Random(seed)  # noqa: S311  a storm that can be had again
    for name in NAMES:
        await ledger.create(name, dice.choice(SCHEDULES))
    for _ in range(STEPS):
        clock.step(timedelta(milliseconds=dice.randrange(3000)))
        await asyncio.gather(
            _replica(ledger, clock, dice, ME),
            _replica(rival, clock, dice, OTHER),
            _person(ledger, dice),
            _person(rival, dice),
        )
    await ledger.switch.resume()
    await _replica(ledger, clock, dice, ME)
    assert await ledger.replicas.owned(ME) == await ledger.replicas.owned(OTHER) == {}
    for job_id, versions in (await _versions(ledger)).items():
        await _check(ledger, job_id, versions, clock.now())


async def _replica(ledger: Ledger, clock: FakeClock, dice: random.Random, replica: UUID) -> None:
    """Claim, start and record whatever there is, as one turn of a scheduler would."""
    due = [each for each in await ledger.candidates(clock.now()) if each.job.next_run <= clock.now()]
    dice.shuffle(due)
    started: list[Started] = []
    if due:
        started += (await ledger.claims.claim(replica, due, roomy())).started
    pending = await ledger.starts.pending(100, [], timedelta(0))
    if pending:
        started += (await ledger.starts.start(replica, pending)).begun
    results = [cut_off(run) if dice.random() < 0.1 else ended(run) for run in started]
    if results:
        kept = 0
        while results:
            recorded = await ledger.records.record(replica, results)
            kept, results = kept + len(recorded.states), recorded.busy
        assert kept == len(started)


async def _person(ledger: Ledger, dice: random.Random) -> None:
    name, what = dice.choice(NAMES), dice.randrange(8)
    with suppress(JobNotFound, NameTaken):
        match what:
            case 0 | 1:
                await ledger.patch(name, schedule=dice.choice(SCHEDULES))
            case 2:
                await ledger.jobs.set_enabled(name, enabled=dice.random() < 0.7)
            case 3:
                await ledger.jobs.delete(name)
            case 4 | 5:
                await ledger.create(name, dice.choice(SCHEDULES))
            case 6:
                await ledger.runs.trigger(name)
            case _:
                await (ledger.switch.pause() if dice.random() < 0.5 else ledger.switch.resume())


async def _versions(ledger: Ledger) -> dict[UUID, list[Any]]:
    found: dict[UUID, list[Any]] = {}
    for row in await ledger.table(job_versions):
        found.setdefault(row.job_id, []).append(row)
    return found


async def _check(ledger: Ledger, job_id: UUID, versions: list[Any], now: datetime) -> None:
    bounds = [(each.effective_from, each.effective_until) for each in versions]
    assert [start for start, _ in bounds[1:]] == [end for _, end in bounds[:-1]]
    due = Counter(at for each in versions for at in _due(each, now))
    runs = [run for run in await ledger.table(job_runs, job_id=job_id) if run.trigger != "manual"]
    spans = await ledger.spans_of(job_id)
    covered = Counter(run.scheduled_for for run in runs)
    for span in spans:
        covered.update(at for at in due if span.after < at <= (span.until or now))
    assert covered == due
    assert max(due.values(), default=1) == 1
    counts = [sum(span.after < at <= span.until for at in due) for span in spans if span.until is not None]
    assert counts == [span.count for span in spans if span.until is not None]


def _due(version: Any, now: datetime) -> list[datetime]:
    """The instants of one version, by its own words."""
    definition = version.definition
    anchor = datetime.fromisoformat(definition["anchor"])
    recurrence = Recurrence(definition["schedule"], anchor=anchor)
    instants = []
    at = recurrence.next_after(version.effective_from)
    while at is not None and at <= min(now, version.effective_until or now):
        instants.append(at)
        at = recurrence.next_after(at)
    return instants
