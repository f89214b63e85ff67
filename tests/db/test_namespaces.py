"""Namespaces over every store: what they hold is found by those who act in them alone."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from uuid import UUID

import pytest
from sqlalchemy import select

from app.db.job_rows import JobRowSource
from app.db.namespace_tables import job_namespaces
from app.db.runs import RunFilter
from app.domain.calendar import CalendarDefinition
from app.domain.clock import FakeClock
from app.domain.errors import (
    CalendarInUse,
    InvalidInput,
    JobNotFound,
    NamespaceInUse,
    NamespaceNotFound,
    NameTaken,
    RunNotFound,
    UnknownCalendar,
)
from app.domain.exclude import InCalendar
from app.domain.job import PersistedJob
from app.domain.namespace import DEFAULT, Quotas
from app.domain.policies import Policies
from app.domain.run import State
from app.service.explain import Asked
from app.service.known_namespaces import FRESH_SECONDS, KnownNamespaces
from app.service.limits import LimitService
from tests.db.building import MINUTE, NOON, SECOND, Ledger, queued, states
from tests.db.leaving_out import HOLIDAYS, TODAY, TODAYS_REASON, calendar, leaving_out
from tests.db.limiting import waiting
from tests.db.locks import gate
from tests.db.tenants import ACME, GLOBEX, in_acme, namespaces_of, put, within


async def test_one_is_made_given_quotas_and_deleted(ledger: Ledger, clock: FakeClock) -> None:
    service = namespaces_of(ledger, clock)
    made, is_new = await service.put(ACME, Quotas())
    assert (made.name, made.quotas, made.jobs, made.runs_today, is_new) == (ACME, Quotas(), 0, None, True)
    clock.step(SECOND)
    quotas = Quotas(max_jobs=3, min_interval_seconds=60.0, runs_per_day=9, requests_per_second=0.5)
    changed, is_new = await service.put(ACME, quotas)
    assert (changed.quotas, changed.created_at, changed.updated_at, is_new) == (quotas, NOON, NOON + SECOND, False)
    assert (changed.runs_today, await service.get(ACME)) == (0, changed)
    assert [each.name for each in await service.all()] == [ACME, DEFAULT]
    assert [each.name for each in await service.page(ACME, 1)] == [DEFAULT]
    await service.delete(ACME)
    assert [each.name for each in await service.all()] == [DEFAULT]
    for late in (service.get(ACME), service.delete(ACME)):
        with pytest.raises(NamespaceNotFound):
            await late
    with pytest.raises(NameTaken):
        await service.put(ACME, Quotas())


async def test_what_is_always_there_stays(ledger: Ledger, clock: FakeClock) -> None:
    service = namespaces_of(ledger, clock)
    with pytest.raises(NamespaceInUse):
        await service.delete(DEFAULT)
    with pytest.raises(InvalidInput):
        await service.put("cronledger", Quotas())


async def test_a_name_is_unique_in_its_own(ledger: Ledger) -> None:
    await put(ledger)
    ours = await ledger.create("nightly", description="ours")
    with within(ACME):
        theirs = await ledger.create("nightly", description="theirs")
        with pytest.raises(NameTaken):
            await ledger.create("nightly")
        assert await ledger.jobs.get("nightly") == theirs
        await ledger.patch("nightly", description="changed")
        await ledger.jobs.delete("nightly")
        with pytest.raises(JobNotFound):
            await ledger.jobs.get("nightly")
        again = await ledger.create("nightly")
    assert await ledger.jobs.get("nightly") == ours
    rows = [(row.namespace, row.name) for row in (await ledger.row_of(ours), await ledger.row_of(again))]
    assert rows == [(DEFAULT, "nightly"), (ACME, "nightly")]


async def test_whose_a_job_was_is_known_once_it_is_gone(ledger: Ledger) -> None:
    await put(ledger)
    with within(ACME):
        job = await ledger.create()
        run = await ledger.runs.trigger("job")
        await ledger.jobs.delete("job")
        assert await versions(ledger, job) == [1]
        assert (await ledger.runs.get(run.id)).job_id == job.uid
    for other in (DEFAULT, GLOBEX):
        with within(other):
            assert await versions(ledger, job) == []
            with pytest.raises(RunNotFound):
                await ledger.runs.get(run.id)


async def versions(ledger: Ledger, job: PersistedJob) -> list[int]:
    return [each.version for each in await ledger.history.versions(job.uid, None, 9)]


@pytest.mark.parametrize("few", [0, 100])
async def test_a_page_of_runs_is_of_one_namespace(
    ledger: Ledger, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    """Whichever way they are looked for."""
    monkeypatch.setattr("app.db.runs._FEW_JOBS", few)
    await put(ledger)
    mine: list[UUID] = []
    for number in range(4):
        with within((DEFAULT, ACME)[number % 2]):
            await ledger.create(f"job-{number}")
            made = [(await ledger.runs.trigger(f"job-{number}")).id for _ in range(2)]
            mine += made if number % 2 else []
        clock.step(SECOND)
    with within(ACME):
        await ledger.jobs.delete("job-1")
        first = await ledger.runs.page(RunFilter(), None, 3)
        rest = await ledger.runs.page(RunFilter(), first[-1].id, 3)
        assert [run.id for run in first + rest] == sorted(mine, reverse=True)
        canceled = await ledger.runs.page(RunFilter(state=State.CANCELED), None, 9)
        assert {run.job_name for run in canceled} == {"job-1"}
        assert await ledger.runs.page(RunFilter(until=NOON), None, 9) == []
    with within(GLOBEX):
        assert await ledger.runs.page(RunFilter(), None, 9) == []


async def test_the_entry_map_has_each_by_its_namespace_and_name(ledger: Ledger) -> None:
    await put(ledger)
    await ledger.create("nightly")
    with within(ACME):
        await ledger.create("nightly")
    rows = await JobRowSource(ledger.database).enabled_page(0, 9)
    assert [row.key for row in rows] == ["nightly", "acme/nightly"]


async def test_jobs_share_the_limits_of_their_own_namespace(ledger: Ledger, clock: FakeClock) -> None:
    await put(ledger)
    limits, policies = LimitService(ledger.database), Policies(concurrency_key="db/main")
    await limits.put("db/main", 9, None)
    jobs = [await ledger.create("a", policies=policies)]
    with within(ACME):
        await limits.put("db/main", 1, None)
        jobs += [await ledger.create(name, policies=policies) for name in ("a", "b")]
        assert [each.key for each in await limits.page(None, 9)] == ["db/main"]
    clock.step(MINUTE)
    await ledger.claim(clock.now(), *jobs)
    runs = [await ledger.run_of(job) for job in jobs]
    await ledger.starts.start(jobs[0].uid, [queued(run) for run in runs])
    runs = [await ledger.run_of(job) for job in jobs]
    assert (runs[0].state, sorted(states(runs[1:]))) == ("running", ["pending", "running"])
    [held_up] = [run for run in runs if run.state == "pending"]
    assert await waiting(ledger) == ["limit acme:db/main"]
    with within(ACME):
        [limit] = await limits.page(None, 9)
        assert (limit.max_concurrency, limit.in_use, limit.waiting) == (1, 1, 1)
        explained, _ = await ledger.history.explain(held_up.job_name, Asked(held_up.scheduled_for), None, 1)
    assert "the limit db/main had no room" in explained[0].sentence
    with within(DEFAULT):
        assert [(each.max_concurrency, each.in_use) for each in await limits.page(None, 9)] == [(9, 1)]


async def test_jobs_leave_out_the_calendars_of_their_own_namespace(ledger: Ledger, clock: FakeClock) -> None:
    await put(ledger)
    await ledger.calendars.create(calendar())
    ours = await ledger.create("a", **leaving_out(HOLIDAYS))
    with within(ACME):
        with pytest.raises(UnknownCalendar):
            await ledger.create("a", **leaving_out(HOLIDAYS))
        await ledger.calendars.create(calendar())
        theirs = await ledger.create("a", **leaving_out(HOLIDAYS))
        await ledger.calendars.replace(calendar(TODAY))
        assert (await ledger.calendars.get("holidays")).version == 2
        with pytest.raises(CalendarInUse):
            await ledger.calendars.delete("holidays")
    assert [(await ledger.row_of(job)).version for job in (ours, theirs)] == [1, 2]
    clock.step(MINUTE)
    await ledger.claim(clock.now(), ours, theirs)
    assert states([await ledger.run_of(ours), await ledger.run_of(theirs)]) == ["running", "skipped"]
    assert (await ledger.run_of(theirs)).reason == TODAYS_REASON
    assert [each.definition["calendars"] for each in await ledger.versions_of(theirs)][-1] == {"holidays": 2}


async def test_what_the_scheduler_does_it_does_for_all(ledger: Ledger) -> None:
    await put(ledger)
    jobs = [await ledger.create("a")]
    with within(ACME):
        jobs.append(await ledger.create("a"))
    with within(DEFAULT):
        await ledger.switch.pause()
    assert [(await ledger.row_of(job)).next_run for job in jobs] == [None, None]
    with within(DEFAULT):
        await ledger.switch.resume()
    assert [(await ledger.row_of(job)).next_run for job in jobs] == [NOON + MINUTE] * 2


@pytest.mark.parametrize("kind", ["job", "calendar", "limit"])
async def test_one_with_something_in_it_is_not_deleted(ledger: Ledger, clock: FakeClock, kind: str) -> None:
    await put(ledger)
    limits = LimitService(ledger.database)
    with within(ACME):
        if kind == "job":
            await ledger.create()
        elif kind == "calendar":
            await ledger.calendars.create(CalendarDefinition(name="holidays"))
        else:
            await limits.put("warehouse", 1, None)
    with pytest.raises(NamespaceInUse, match=f"{kind}s 1"):
        await namespaces_of(ledger, clock).delete(ACME)


async def test_nothing_is_made_in_one_that_goes(contended: Ledger, clock: FakeClock) -> None:
    """Whoever makes something waits for whoever deletes the namespace, and finds it gone."""
    await put(contended)

    async def make() -> None:
        with within(ACME):
            await contended.calendars.create(CalendarDefinition(name="holidays"))

    async with gate(contended.url, "SELECT 1 FROM namespaces WHERE name = 'acme' FOR UPDATE") as held:
        deleting = asyncio.create_task(namespaces_of(contended, clock).delete(ACME))
        await held.until_waiting(1)
        making = asyncio.create_task(make())
        await held.until_waiting(2)
        await held.open()
        outcomes = await asyncio.gather(deleting, making, return_exceptions=True)
    assert [type(each) for each in outcomes] in ([type(None), NamespaceNotFound], [NamespaceInUse, type(None)])


@pytest.mark.parametrize("name", ["x" * 251, "x" * 255])
async def test_a_name_that_is_too_long_with_its_namespace(ledger: Ledger, name: str) -> None:
    await put(ledger)
    with within(ACME):
        for late in (
            ledger.calendars.create(CalendarDefinition(name=name)),
            LimitService(ledger.database).put(name, 1, None),
            ledger.create(policies=Policies(concurrency_key=name)),
        ):
            with pytest.raises(InvalidInput, match="too long"):
                await late
        job = await ledger.create(name)
        await ledger.calendars.create(CalendarDefinition(name=name[:250]))
        await ledger.patch(name, policies=replace(job.policies, exclude=(InCalendar(name[:250]),)))


async def test_jobs_of_default_are_not_listed(ledger: Ledger) -> None:
    await put(ledger)
    await ledger.create()
    async with in_acme(ledger) as tx:
        assert await tx.jobs.get("job") is None
    async with ledger.database.read() as connection:
        assert (await connection.execute(select(job_namespaces))).all() == []


async def test_what_a_namespace_may_have_is_known_for_a_while(ledger: Ledger, rival: Ledger, clock: FakeClock) -> None:
    known = KnownNamespaces(ledger.database, clock)
    assert await known.quotas(GLOBEX) is None
    await put(rival, GLOBEX, max_jobs=1)
    assert await known.quotas(GLOBEX) == Quotas(max_jobs=1)
    await put(rival, GLOBEX, max_jobs=2)
    assert await known.quotas(GLOBEX) == Quotas(max_jobs=1)
    await clock.advance(SECOND * FRESH_SECONDS)
    assert await known.quotas(GLOBEX) == Quotas(max_jobs=2)
    for odd in ("", "A", "-a", "a-", "a" * 64, "a\0", "\ud800", "a:b", "a/b", "a%"):
        assert await known.quotas(odd) is None
