"""What the entry map is a cache of."""

from __future__ import annotations

import asyncio

from app.domain.clock import FakeClock
from app.scheduler.follower import OVERLAP
from tests.db.building import JUST, MINUTE, NOON, Ledger
from tests.db.locks import gate


async def test_the_time_is_the_databases(ledger: Ledger, clock: FakeClock) -> None:
    clock.step(JUST)
    assert await ledger.rows.time() == NOON + JUST


async def test_jobs_that_wait_are_told_by_pages(ledger: Ledger) -> None:
    await ledger.populate(5)
    first = await ledger.rows.enabled_page(0, 2)
    second = await ledger.rows.enabled_page(first[-1].id, 2)
    third = await ledger.rows.enabled_page(second[-1].id, 2)
    assert [row.name for row in first + second + third] == [f"job-{number}" for number in range(5)]
    assert await ledger.rows.enabled_page(third[-1].id, 2) == []
    assert await ledger.rows.versions_page(0, 3) == [(row.id, 1) for row in first + second[:1]]
    assert await ledger.rows.versions_page(third[-1].id, 3) == []


async def test_a_row_is_all_that_planning_needs(ledger: Ledger) -> None:
    job = await ledger.create(schedule="H 9 * * MON", timezone="Europe/Berlin", starts_at=NOON)
    [row] = await ledger.rows.enabled_among([job.id])
    assert (row.id, row.uid, row.name, row.version, row.next_run) == (job.id, job.uid, "job", 1, job.next_run)
    assert row.recurrence.next_after(NOON) == job.next_run


async def test_what_waits_for_nothing_is_not_among_them(ledger: Ledger) -> None:
    jobs = [
        await ledger.create("waits"),
        await ledger.create("paused", enabled=False),
        await ledger.create("manual", "@manual"),
    ]
    ids = [job.id for job in jobs]
    assert [row.name for row in await ledger.rows.enabled_among([*ids, 999])] == ["waits"]
    assert [row.name for row in await ledger.rows.enabled_page(0, 10)] == ["waits"]
    assert [job_id for job_id, _ in await ledger.rows.versions_page(0, 10)] == ids[:1]


async def test_what_changed_since_then_is_told_enabled_or_not(ledger: Ledger, clock: FakeClock) -> None:
    one, two = await ledger.create("one"), await ledger.create("two")
    assert await ledger.rows.changed_since(NOON) == [one.id, two.id]
    clock.step(MINUTE)
    await ledger.jobs.set_enabled("two", enabled=False)
    assert await ledger.rows.changed_since(NOON + JUST) == [two.id]
    assert await ledger.rows.changed_since(NOON + MINUTE + JUST) == []


async def test_a_change_that_commits_late_is_seen_within_the_overlap(
    contended: Ledger, rival: Ledger, clock: FakeClock
) -> None:
    job = await contended.create()
    clock.step(MINUTE)
    async with gate(contended.url, "LOCK TABLE job_versions IN SHARE MODE") as held:
        changing = asyncio.create_task(rival.patch("job", description="late"))
        await held.until_waiting(1)
        clock.step(OVERLAP - JUST)
        polled_to = await contended.rows.time()
        assert await contended.rows.changed_since(NOON + JUST) == []
        await held.open()
        await changing
    assert (await contended.row_of(job)).updated_at < polled_to
    assert await contended.rows.changed_since(polled_to - OVERLAP) == [job.id]


async def test_a_job_that_is_set_aside_waits_for_nothing_and_says_why(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create()
    clock.step(10 * MINUTE)
    await ledger.rows.set_aside(job.id, 1, "can't be read")
    row = await ledger.row_of(job)
    assert (row.next_run, row.problem, row.enabled) == (None, "can't be read", True)
    [span] = await ledger.spans_of(job)
    assert (span.after, span.until, span.reason) == (NOON + MINUTE - JUST, None, "unschedulable")
    assert await ledger.rows.enabled_page(0, 10) == []


async def test_a_job_that_changed_meanwhile_is_not_set_aside(ledger: Ledger) -> None:
    job = await ledger.create()
    await ledger.patch("job", description="mended")
    assert await ledger.rows.set_aside(job.id, 1, "can't be read")
    assert await ledger.rows.set_aside(999, 1, "not there")
    row = await ledger.row_of(job)
    assert (row.problem, row.next_run) == (None, NOON + MINUTE)


async def test_a_job_that_somebody_has_locked_is_set_aside_later(contended: Ledger) -> None:
    job = await contended.create()
    async with gate(contended.url, "SELECT FROM cron_jobs FOR UPDATE"):
        assert not await contended.rows.set_aside(job.id, 1, "can't be read")
    assert (await contended.row_of(job)).problem is None
    assert await contended.rows.set_aside(job.id, 1, "can't be read")


async def test_a_job_that_is_set_aside_twice_has_one_span(ledger: Ledger) -> None:
    job = await ledger.create()
    await ledger.rows.set_aside(job.id, 1, "first")
    await ledger.rows.set_aside(job.id, 1, "second")
    assert len(await ledger.spans_of(job)) == 1
    assert (await ledger.row_of(job)).problem == "first"


async def test_a_change_takes_a_job_up_again(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create()
    await ledger.rows.set_aside(job.id, 1, "can't be read")
    clock.step(10 * MINUTE)
    mended = await ledger.patch("job", schedule="*/5 * * * *")
    assert (mended.problem, mended.next_run) == (None, NOON + 15 * MINUTE)
    [span] = await ledger.spans_of(job)
    assert (span.until, span.count) == (NOON + 10 * MINUTE, 10)


async def test_what_jobs_wait_for_is_told_with_their_versions(ledger: Ledger) -> None:
    waits, paused = await ledger.create("waits"), await ledger.create("paused", enabled=False)
    assert await ledger.rows.waiting([waits.id, paused.id, 10_000]) == {waits.id: (1, waits.next_run)}
    assert await ledger.rows.waiting([]) == {}
