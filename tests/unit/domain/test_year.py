"""A year of a hundred jobs, through the map and the planner, against schedules computed by someone else."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import takewhile
from uuid import UUID
from zoneinfo import ZoneInfo

from cronsim import CronSim

from app.domain.clock import FakeClock
from app.domain.entries import Due, EntryMap, JobRow
from app.domain.misfire import plan
from app.domain.recurrence import Recurrence
from app.domain.run import State, Trigger

START, END = datetime(2027, 1, 1, tzinfo=UTC), datetime(2028, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Pacific/Auckland"]
CRONS = [
    *("0 9 * * MON-FRI", "30 2 * * *", "15 1,2,3 * * *", "0 0 1 * *", "0 0 * * SUN", "59 23 31 12 *", "5 4 * * MON#2"),
    *("0 12 L * *", "45 1 29 2 *", "30 1-3/2 * 3,10 SUN", "0 */6 * * *", "*/30 2 * 3,10,11 *", "0 0,12 13 * FRI"),
    *("10 3 1-7 * *", "20 2 * 4,9 *", "0 3 * * 6", "1 0 * * *", "0 22 * * WED,FRI"),
]
EVERY = [timedelta(hours=7), timedelta(hours=11, minutes=13), timedelta(days=1, seconds=1)] * 3 + [timedelta(days=9)]


def hundred_jobs() -> list[Recurrence]:
    crons = [Recurrence(text, zone) for text in CRONS for zone in ZONES]
    every = [
        Recurrence(f"@every {int(interval.total_seconds())}s", anchor=START + timedelta(seconds=n))
        for n, interval in enumerate(EVERY)
    ]
    return crons + every


@cache
def expected(recurrence: Recurrence) -> list[datetime]:
    """What is due in (START, END), by cronsim or by counting."""
    if recurrence.anchor is None:
        local = CronSim(recurrence.schedule, START.astimezone(ZoneInfo(recurrence.timezone)))
        return list(takewhile(lambda at: at < END, (at.astimezone(UTC) for at in local)))
    interval = timedelta(seconds=int(recurrence.schedule.removeprefix("@every ").removesuffix("s")))
    counted = (recurrence.anchor + n * interval for n in range((END - START) // interval + 1))
    return [at for at in counted if START < at < END]


def entry_map(jobs: Iterable[Recurrence]) -> EntryMap:
    entries = EntryMap()
    for n, recurrence in enumerate(jobs, start=1):
        at = recurrence.next_after(START)
        assert at is not None
        entries.put(JobRow(n, UUID(int=n), f"job-{n}", 1, at, recurrence))
    return entries


class Simulation:
    """What a replica does, without a database: wake, take what is due, plan, and wait for what is next."""

    def __init__(self, entries: EntryMap) -> None:
        self.clock = FakeClock(START)
        self.runs: dict[int, list[datetime]] = defaultdict(list)
        self.fates: dict[int, list[tuple[State, Trigger]]] = defaultdict(list)
        self.spanned: dict[int, int] = defaultdict(int)
        self._entries = entries

    async def run(self) -> None:
        """Until the end of the year."""
        while (at := self._entries.next_wakeup()) is not None and at < END:
            await self.wake(at)

    async def wake(self, at: datetime) -> None:
        await self.clock.advance(max(at - self.clock.now(), timedelta(0)))
        now = self.clock.now()
        while taken := self._entries.due(now, 1000):
            for due in taken:
                self._settle(due, now)

    def _settle(self, due: Due, now: datetime) -> None:
        job = due.entry.job
        made = plan(job.recurrence, due.at, now)
        self.runs[job.id] += [run.occurrence for run in made.runs]
        self.fates[job.id] += [(run.state, run.trigger) for run in made.runs]
        self.spanned[job.id] += sum(span.count for span in made.spans)
        self._entries.advance(due.entry, made.next, claimed=made.latest)


def test_a_year_of_a_hundred_jobs_has_exactly_the_occurrences_that_others_find() -> None:
    jobs = hundred_jobs()
    assert len(jobs) == 100
    simulation = Simulation(entry_map(jobs))
    asyncio.run(simulation.run())

    for n, recurrence in enumerate(jobs, start=1):
        assert simulation.runs[n] == expected(recurrence), recurrence
        assert set(simulation.fates[n]) <= {(State.PENDING, Trigger.SCHEDULE)}
    assert sum(map(len, simulation.runs.values())) > 20_000


async def test_a_year_of_waking_late_loses_no_occurrence() -> None:
    jobs = hundred_jobs()
    simulation = Simulation(entry_map(jobs))
    for n in range(5):
        await simulation.wake(START + (n + 1) * timedelta(days=73) - timedelta(microseconds=1))

    for n, recurrence in enumerate(jobs, start=1):
        due = expected(recurrence)
        assert len(simulation.runs[n]) + simulation.spanned[n] == len(due), recurrence
        assert set(simulation.runs[n]) <= set(due)
        assert simulation.runs[n] == sorted(set(simulation.runs[n]))
        assert [trigger for _, trigger in simulation.fates[n]].count(Trigger.CATCH_UP) <= 5
    assert sum(simulation.spanned.values()) > 0


async def test_a_year_of_a_clock_that_is_set_to_and_fro_repeats_no_occurrence_and_loses_none() -> None:
    jobs = hundred_jobs()
    simulation = Simulation(entry_map(jobs))
    for n in range(730):
        for step in (-HOUR, HOUR, HOUR, -HOUR):
            simulation.clock.step(step)
            await simulation.wake(simulation.clock.now())
        await simulation.wake(START + (n + 1) * timedelta(hours=12) - timedelta(microseconds=1))

    for n, recurrence in enumerate(jobs, start=1):
        assert [at for at in simulation.runs[n] if at < END] == expected(recurrence), recurrence
    assert not any(simulation.spanned.values())
