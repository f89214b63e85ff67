"""The auditor: what it counts, how far, and once however many there are."""

from __future__ import annotations

from asyncio import gather
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from app.db.audit_tables import due_counts
from app.db.transaction import transaction
from app.domain.audit import hour_of
from app.domain.clock import FakeClock
from app.domain.explanation import Finding
from app.domain.policies import Policies
from app.domain.stats import Counted
from app.service.housekeeping import Housekeeping
from tests.db.auditing import HOUR, absent, count, pass_minutes, remove, stats, total, work
from tests.db.building import MINUTE, NOON, SECOND, Ledger
from tests.db.keeping import pruned

DAY = timedelta(days=1)


async def counts(ledger: Ledger) -> dict[datetime, int]:
    """Of all jobs together, by hour."""
    found: dict[datetime, int] = {}
    async with ledger.database.read() as connection:
        for hour, due in await connection.execute(select(due_counts.c.hour, due_counts.c.due)):
            found[hour] = found.get(hour, 0) + due
    return found


async def audit_all(ledger: Ledger) -> int:
    """In how many steps all is counted."""
    steps = 0
    while await ledger.auditor.audit():
        steps += 1
    return steps


async def test_it_begins_with_the_hour_and_ends_with_the_minute_before_the_last(
    ledger: Ledger, clock: FakeClock
) -> None:
    clock.step(10 * MINUTE)
    await ledger.auditor.audit()
    await ledger.create()
    clock.step(10 * MINUTE + 59 * SECOND)
    await audit_all(ledger)
    assert (await stats(ledger)).counted == Counted(NOON, NOON + 19 * MINUTE)
    assert await counts(ledger) == {NOON: 8}
    clock.step(SECOND)
    await audit_all(ledger)
    assert (await stats(ledger)).counted == Counted(NOON, NOON + 20 * MINUTE)


async def test_after_a_rest_it_counts_an_hour_at_a_time(ledger: Ledger, clock: FakeClock) -> None:
    await ledger.auditor.audit()
    await ledger.create()
    await ledger.create("hourly", "@hourly")
    clock.step(5 * HOUR)
    assert await audit_all(ledger) == 5
    assert await counts(ledger) == {NOON: 59} | {NOON + hour * HOUR: 61 for hour in range(1, 4)} | {NOON + 4 * HOUR: 60}


async def test_what_is_counted_minute_by_minute_is_what_is_counted_at_once(
    ledger: Ledger, rival: Ledger, clock: FakeClock
) -> None:
    await ledger.auditor.audit()
    for number, schedule in enumerate(["* * * * *", "*/7 * * * *", "H * * * *", "@every 90s", "H H * * *", "@manual"]):
        await ledger.create(f"job-{number}", schedule)
    for _ in range(130):
        clock.step(MINUTE)
        await audit_all(ledger)
    piecemeal = await counts(ledger)
    await ledger.execute("DELETE FROM due_counts")
    await ledger.execute("UPDATE audits SET counted_until = counted_from")
    await audit_all(rival)
    assert await counts(rival) == piecemeal
    assert sum(piecemeal.values()) > 128 + 18 + 85


async def test_two_at_once_count_once(ledger: Ledger, rival: Ledger, clock: FakeClock) -> None:
    await gather(ledger.auditor.audit(), rival.auditor.audit())
    await ledger.create()
    clock.step(3 * HOUR)
    await gather(audit_all(ledger), audit_all(rival))
    assert await counts(ledger) == {NOON: 59, NOON + HOUR: 60, NOON + 2 * HOUR: 59}


async def test_who_was_second_counts_on_from_where_the_first_one_ended(
    ledger: Ledger, rival: Ledger, clock: FakeClock
) -> None:
    await ledger.auditor.audit()
    await ledger.create(schedule="*/10 * * * *")
    for number in range(60):
        clock.step(MINUTE)
        await audit_all((ledger, rival)[number % 3 == 0])
    assert await counts(ledger) == {NOON: 5}


async def test_more_versions_than_a_page_are_counted(
    ledger: Ledger, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.service.auditor.PAGE", 3)
    await ledger.auditor.audit()
    job = await ledger.create()
    other = await ledger.create("other")
    for number in range(20):
        clock.step(20 * SECOND)
        job = await ledger.patch(job.name, timeout_seconds=float(number + 1))
        await work(ledger, job, other)
    found = await total(ledger)
    assert (found.due, absent(found)) == (12, {})


async def test_a_clock_that_is_set_back_is_counted_anew(ledger: Ledger, clock: FakeClock) -> None:
    """Jobs change at instants that were counted as they were before."""
    await ledger.auditor.audit()
    rare = await ledger.create("rare", "0 */6 * * *")
    often = await ledger.create("often", "*/10 * * * *")
    clock.step(150 * MINUTE)
    await count(ledger)
    clock.step(-80 * MINUTE)
    await audit_all(ledger)
    assert (await stats(ledger)).counted == Counted(NOON, NOON + 69 * MINUTE)
    rare = await ledger.patch(rare.name, schedule="*/5 * * * *")
    await ledger.jobs.delete(often.name)
    for _ in range(80):
        clock.step(MINUTE)
        await work(ledger, rare)
    clock.step(SECOND)
    found = await total(ledger)
    assert (found.due, found.absent.get(Finding.UNACCOUNTED, 0)) == (7 + 16, 0)


async def test_a_clock_that_is_set_back_before_all_that_is_counted_begins_anew(
    ledger: Ledger, clock: FakeClock
) -> None:
    await ledger.auditor.audit()
    clock.step(-DAY)
    await ledger.auditor.audit()
    assert (await stats(ledger)).counted == Counted(NOON - DAY, NOON - DAY)


async def test_a_version_that_can_not_be_read_is_not_due(ledger: Ledger, clock: FakeClock) -> None:
    await ledger.auditor.audit()
    job = await ledger.create()
    await ledger.execute('UPDATE job_versions SET definition = \'{"schedule": "whenever"}\'')
    await pass_minutes(ledger, clock, 3, job)
    clock.step(SECOND)
    assert (await total(ledger)).due == 0


async def test_counts_are_kept_as_long_as_runs(ledger: Ledger, clock: FakeClock) -> None:
    await ledger.auditor.audit()
    await ledger.create(schedule="@hourly")
    clock.step(31 * DAY)
    await count(ledger)
    await Housekeeping(ledger.database).tend()
    assert min(await counts(ledger)) == NOON + DAY


async def test_what_another_has_set_back_is_counted_anew(ledger: Ledger, rival: Ledger, clock: FakeClock) -> None:
    """Whoever has looked ahead looks again."""
    await ledger.auditor.audit()
    await ledger.create(schedule="*/10 * * * *")
    clock.step(150 * MINUTE)
    await count(ledger)
    clock.step(-80 * MINUTE)
    await rival.auditor.audit()
    clock.step(80 * MINUTE)
    await count(ledger)
    assert await counts(ledger) == {NOON: 5, NOON + HOUR: 6, NOON + 2 * HOUR: 3}


@pytest.mark.parametrize(("keep_runs", "rest"), [(2, 5 * MINUTE), (None, 31 * DAY)], ids=str)
async def test_a_completed_job_is_not_due_once_its_runs_are_gone_and_then_itself(
    ledger: Ledger, rival: Ledger, clock: FakeClock, keep_runs: int | None, rest: timedelta
) -> None:
    """Whoever counts the minute of its delete may never have seen it complete."""
    await ledger.auditor.audit()
    job = await ledger.create(policies=Policies(max_runs=3, keep_runs=keep_runs))
    await pass_minutes(ledger, clock, 4, job)
    clock.step(rest)
    await count(ledger)
    await pruned(ledger)
    assert len(await ledger.runs_of(job)) == (keep_runs or 0)
    await ledger.jobs.delete(job.name)
    clock.step(10 * MINUTE)
    await count(rival)
    assert (await stats(rival)).total.absent.get(Finding.UNACCOUNTED, 0) == 0
    assert (await counts(ledger)).get(hour_of(clock.now()), 0) == (3 if keep_runs else 0)


async def test_of_a_deleted_job_of_which_nothing_can_be_gone_what_is_missing_is_missed(
    ledger: Ledger, clock: FakeClock
) -> None:
    await ledger.auditor.audit()
    await pass_minutes(ledger, clock, 2, await ledger.create("older", policies=Policies(keep_runs=1)))
    await pruned(ledger)
    async with transaction(ledger.database) as tx:
        await tx.retention.note(clock.now())
    clock.step(SECOND)
    job = await ledger.create(policies=Policies(max_runs=5))
    await pass_minutes(ledger, clock, 3, job)
    await remove(ledger, job, NOON + 5 * MINUTE)
    await ledger.jobs.delete(job.name)
    clock.step(SECOND)
    assert (await total(ledger)).absent[Finding.UNACCOUNTED] == 1
