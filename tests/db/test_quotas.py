"""Quotas over every store: what a namespace may have, and what becomes of more."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from app.domain.backfill import BackfillRequest
from app.domain.claim import Claims
from app.domain.clock import FakeClock
from app.domain.errors import JobNotFound, NamespaceNotFound, QuotaExceeded
from app.domain.job import PersistedJob
from app.domain.namespace import DEFAULT
from app.domain.policies import Misfire, MisfirePolicy, Overlap, Policies
from app.service.explain import Asked
from app.service.quotas import hold_home
from tests.db.building import MINUTE, NOON, OTHER, Ledger, ended, every_instant_is_accounted_for, minutes, states
from tests.db.leaving_out import HOLIDAYS, TODAY, TOMORROW, calendar, leaving_out
from tests.db.locks import BOUND, gate
from tests.db.tenants import ACME, in_acme, namespaces_of, put, within

HOUR = timedelta(hours=1)
FULL = "quota: the namespace has made its 2 runs of the day"


async def made_today(ledger: Ledger, clock: FakeClock, name: str = ACME) -> int | None:
    return (await namespaces_of(ledger, clock).get(name)).runs_today


async def create(ledger: Ledger, name: str = "job", **more: Any) -> PersistedJob:
    with within(ACME):
        return await ledger.create(name, **more)


async def claim(ledger: Ledger, clock: FakeClock, *jobs: PersistedJob) -> Claims:
    clock.step(MINUTE)
    return await ledger.claim(clock.now(), *jobs)


async def fates(ledger: Ledger, job: PersistedJob) -> list[tuple[str, str | None]]:
    return [(run.state, run.reason) for run in await ledger.runs_of(job)]


async def test_so_many_jobs_at_once(ledger: Ledger) -> None:
    await put(ledger, max_jobs=1)
    with within(ACME):
        await ledger.create("a")
        with pytest.raises(QuotaExceeded, match="has 1 jobs"):
            await ledger.create("b")
        with pytest.raises(QuotaExceeded):
            await ledger.jobs.rehearsal().create(replace((await ledger.jobs.get("a")).definition(), name="b"))
        await ledger.patch("a", description="changed")
        await ledger.jobs.delete("a")
        await ledger.create("b")
    await ledger.create("a")
    await put(ledger, DEFAULT, max_jobs=1)
    with pytest.raises(QuotaExceeded):
        await ledger.create("b")


async def test_of_two_that_come_at_once_one_is_the_last(contended: Ledger, rival: Ledger) -> None:
    await put(contended, max_jobs=1)

    async def making(ledger: Ledger, name: str) -> None:
        with within(ACME):
            await ledger.create(name)

    async with gate(contended.url, "SELECT 1 FROM namespaces WHERE name = 'acme' FOR UPDATE") as held:
        both = [asyncio.create_task(making(contended, "a")), asyncio.create_task(making(rival, "b"))]
        await held.until_waiting(2)
        await held.open()
        outcomes = await asyncio.gather(*both, return_exceptions=True)
    assert sorted(type(each).__name__ for each in outcomes) == ["NoneType", "QuotaExceeded"]


async def test_in_one_that_is_not_there_nothing_is_made(ledger: Ledger) -> None:
    with within(ACME):
        with pytest.raises(NamespaceNotFound):
            await ledger.create()
        with pytest.raises(JobNotFound):
            await ledger.jobs.get("job")


async def test_a_schedule_may_not_be_due_too_often(ledger: Ledger) -> None:
    await put(ledger, min_interval_seconds=300.0)
    with within(ACME):
        for often in ("* * * * *", "0,4 3 * * *", "@every 299s", "59,0 23,0 1,2 * *"):
            with pytest.raises(QuotaExceeded, match="300 s must lie between") as refused:
                await ledger.create(schedule=often)
            assert refused.value.field == "schedule"
        job = await ledger.create(schedule="*/5 * * * *")
        for rarely in ("@every 300s", "@manual", "@at 2027-12-24T18:00:00Z", "0 0 * * *"):
            await ledger.patch("job", schedule=rarely)
        with pytest.raises(QuotaExceeded):
            await ledger.patch("job", schedule="* * * * *")
        assert (await ledger.jobs.get("job")).schedule == "0 0 * * *"
    await ledger.create(schedule="* * * * *")
    assert (await ledger.row_of(job)).version == 5


async def test_a_job_of_before_goes_on(ledger: Ledger) -> None:
    await put(ledger)
    await create(ledger)
    await put(ledger, min_interval_seconds=300.0)
    with within(ACME):
        await ledger.patch("job", description="changed")
        await ledger.jobs.set_enabled("job", enabled=False)
        await ledger.jobs.set_enabled("job", enabled=True)
        with pytest.raises(QuotaExceeded):
            await ledger.patch("job", schedule="*/2 * * * *")


async def test_beyond_the_runs_of_a_day_they_are_skipped(ledger: Ledger, clock: FakeClock) -> None:
    await put(ledger, runs_per_day=2)
    policies = Policies(overlap=Overlap.ALLOW)
    job, other = await create(ledger, policies=policies), await ledger.create(policies=policies)
    started = [len((await claim(ledger, clock, job, other)).started) for _ in range(4)]
    assert started == [2, 2, 1, 1]
    assert await fates(ledger, job) == [("running", None)] * 2 + [("skipped", FULL)] * 2
    assert states(await ledger.runs_of(other)) == ["running"] * 4
    assert await made_today(ledger, clock) == 2
    await every_instant_is_accounted_for(ledger, job, minutes(NOON + MINUTE, 4))
    with within(ACME):
        [told], _ = await ledger.history.explain("job", Asked(NOON + 3 * MINUTE), None, 1)
    assert told.sentence.startswith("Skipped: the namespace has made its 2 runs of the day.")


async def test_each_day_begins_anew_at_midnight_utc(ledger: Ledger, clock: FakeClock) -> None:
    await put(ledger, runs_per_day=1)
    job = await create(ledger, schedule="@hourly", policies=Policies(overlap=Overlap.ALLOW))
    for _ in range(13):
        clock.step(HOUR - MINUTE)
        await claim(ledger, clock, job)
    runs = {run.scheduled_for: run.state for run in await ledger.runs_of(job)}
    assert [at for at, state in runs.items() if state == "running"] == [NOON + HOUR, NOON + 12 * HOUR]
    assert await made_today(ledger, clock) == 1
    clock.step(24 * HOUR)
    assert await made_today(ledger, clock) == 0


async def test_jobs_of_one_namespace_share_them(ledger: Ledger, clock: FakeClock) -> None:
    await put(ledger, runs_per_day=2)
    jobs = [await create(ledger, f"job-{number}") for number in range(3)]
    claims = await claim(ledger, clock, *jobs)
    assert (len(claims.started), len(claims.won)) == (2, 3)
    assert sorted(states([await ledger.run_of(job) for job in jobs])) == ["running", "running", "skipped"]


async def test_what_is_skipped_anyhow_takes_none(ledger: Ledger, clock: FakeClock) -> None:
    await put(ledger, runs_per_day=2)
    with within(ACME):
        await ledger.calendars.create(calendar(TODAY))
    job = await create(ledger, **leaving_out(HOLIDAYS))
    await claim(ledger, clock, job)
    with within(ACME):
        await ledger.calendars.replace(calendar(TOMORROW))
    started = (await claim(ledger, clock, job)).started
    await claim(ledger, clock, job)
    assert states(await ledger.runs_of(job)) == ["skipped", "running", "skipped"]
    assert await made_today(ledger, clock) == 1
    await ledger.record(ended(started[0], error="status 500"))
    assert await made_today(ledger, clock) == 1, "a further attempt is not another run"


async def test_what_is_caught_up_takes_of_them(ledger: Ledger, clock: FakeClock) -> None:
    await put(ledger, runs_per_day=2)
    job = await create(ledger, policies=Policies(misfire=Misfire(policy=MisfirePolicy.ALL)))
    clock.step(HOUR)
    await ledger.claim(clock.now(), job)
    found = await fates(ledger, job)
    assert ("pending", None) in found
    assert found.count(("skipped", FULL)) == len(found) - 2
    assert await made_today(ledger, clock) == 2
    await every_instant_is_accounted_for(ledger, job, minutes(NOON + MINUTE, 60))


async def test_what_was_missed_takes_none(ledger: Ledger, clock: FakeClock) -> None:
    await put(ledger, runs_per_day=2)
    job = await create(ledger, policies=Policies(misfire=Misfire(policy=MisfirePolicy.SKIP)))
    clock.step(10 * MINUTE)
    await ledger.claim(clock.now(), job)
    assert states(await ledger.runs_of(job)) == ["missed"] * 8 + ["running", "skipped"]
    assert await made_today(ledger, clock) == 1


async def test_what_a_change_settles_takes_of_them(ledger: Ledger, clock: FakeClock) -> None:
    await put(ledger, runs_per_day=2)
    job = await create(ledger, policies=Policies(misfire=Misfire(policy=MisfirePolicy.ALL)))
    clock.step(3 * MINUTE)
    with within(ACME):
        await ledger.patch("job", description="changed")
    assert await fates(ledger, job) == [("pending", None)] * 2 + [("skipped", FULL)]
    assert len(ledger.heard.queued) == 2
    assert await made_today(ledger, clock) == 2


async def test_what_people_want_run_is_refused_beyond_them(ledger: Ledger, clock: FakeClock) -> None:
    await put(ledger, runs_per_day=2)
    past = BackfillRequest(since=NOON - HOUR, until=NOON - HOUR + 3 * MINUTE, only_missing=False)
    await create(ledger)
    with within(ACME):
        run = await ledger.runs.trigger("job")
        with pytest.raises(QuotaExceeded, match="of which 1 are left; 3 are asked for"):
            await ledger.backfills.create("job", past)
        await ledger.runs.cancel(run.id)
        await ledger.runs.retry(run.id)
        for late in (ledger.runs.trigger("job"), ledger.runs.retry(run.id)):
            with pytest.raises(QuotaExceeded, match="2 runs a day"):
                await late
    assert await made_today(ledger, clock) == 2
    await put(ledger, runs_per_day=6)
    with within(ACME):
        backfill, _ = await ledger.backfills.create("job", past)
    assert (backfill.total, await made_today(ledger, clock)) == (3, 5)


async def test_a_clock_that_is_set_back_gives_no_day_anew(ledger: Ledger, clock: FakeClock) -> None:
    await put(ledger, runs_per_day=1)
    await create(ledger)
    with within(ACME):
        await ledger.runs.trigger("job")
        clock.step(-24 * HOUR)
        with pytest.raises(QuotaExceeded):
            await ledger.runs.trigger("job")


async def test_claims_of_two_replicas_count_together(ledger: Ledger, rival: Ledger, clock: FakeClock) -> None:
    await put(ledger, runs_per_day=1)
    jobs = [await create(ledger, name) for name in ("a", "b")]
    clock.step(MINUTE)
    assert len((await ledger.claim(clock.now(), jobs[0])).started) == 1
    assert (await rival.claim(clock.now(), jobs[1], replica=OTHER)).started == []
    assert states([await ledger.run_of(job) for job in jobs]) == ["running", "skipped"]


async def test_where_somebody_counts_nobody_else_waits(contended: Ledger, clock: FakeClock) -> None:
    """Those who claim jobs of the namespace come again, and those who claim others go on."""
    await put(contended, runs_per_day=1)
    theirs, others = await create(contended), await contended.create()
    clock.step(MINUTE)
    async with gate(contended.url, "SELECT 1 FROM namespaces WHERE name = 'acme' FOR UPDATE") as held:
        claims = await asyncio.wait_for(contended.claim(clock.now(), theirs, others), BOUND)
        assert [[each.job.id for each in some] for some in (claims.won, claims.busy)] == [[others.id], [theirs.id]]
        await held.open()
    assert await contended.runs_of(theirs) == []
    assert len((await contended.claim(clock.now(), theirs)).started) == 1


async def test_who_makes_something_keeps_no_claim_waiting(postgres: Ledger, clock: FakeClock) -> None:
    await put(postgres, runs_per_day=1)
    job = await create(postgres)
    clock.step(MINUTE)
    async with in_acme(postgres) as tx:
        await hold_home(tx)
        assert len((await postgres.claim(clock.now(), job)).started) == 1
