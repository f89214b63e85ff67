from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from app.domain.claim import Queued, Starts
from app.domain.clock import FakeClock
from app.domain.job import PersistedJob
from app.domain.policies import Misfire, Policies
from tests.db.building import (
    JUST,
    ME,
    MINUTE,
    NOON,
    OTHER,
    SECOND,
    Ledger,
    cut_off,
    queued,
    room_for,
    states,
)
from tests.db.locks import gate

DUE = NOON + MINUTE
NO_WAIT = timedelta(0)
_PATIENT = Policies(misfire=Misfire(grace_seconds=3600))


@pytest.fixture
async def waiting(ledger: Ledger, clock: FakeClock) -> PersistedJob:
    """A job whose one run is pending."""
    return await pending_job(ledger, clock)


async def pending_job(ledger: Ledger, clock: FakeClock) -> PersistedJob:
    job = await ledger.create()
    clock.step(MINUTE)
    await ledger.claim(DUE, job, slots=room_for(0))
    return job


async def test_a_start_takes_a_pending_run(ledger: Ledger, waiting: PersistedJob, clock: FakeClock) -> None:
    clock.step(SECOND)
    [started] = (await ledger.starts.start(ME, [queued(await ledger.run_of(waiting))])).begun
    run = await ledger.run_of(waiting)
    assert (run.state, run.owner, run.fence, run.attempt) == ("running", ME, 1, 1)
    assert run.started_at == started.started_at == DUE + SECOND
    assert (started.fence, started.ledger_at, started.host) == (1, DUE, "one.example:80")
    call = started.call
    assert (call.run_id, call.attempt, call.scheduled_for, call.trigger) == (run.id, 1, DUE, "schedule")


async def test_each_start_raises_the_fence_and_the_attempt(
    ledger: Ledger, waiting: PersistedJob, clock: FakeClock
) -> None:
    [first] = (await ledger.starts.start(ME, [queued(await ledger.run_of(waiting))])).begun
    await ledger.record(cut_off(first))
    clock.step(MINUTE)
    [second] = (await ledger.starts.start(OTHER, [queued(await ledger.run_of(waiting))])).begun
    run = await ledger.run_of(waiting)
    assert (second.fence, second.call.attempt) == (run.fence, run.attempt) == (2, 2)
    assert (run.owner, run.error) == (OTHER, None)
    assert run.started_at == DUE
    assert second.started_at == DUE + MINUTE


async def test_a_run_starts_once(ledger: Ledger, rival: Ledger, waiting: PersistedJob) -> None:
    run = queued(await ledger.run_of(waiting))
    both = await asyncio.gather(ledger.starts.start(ME, [run]), rival.starts.start(OTHER, [run]))
    assert sorted(len(starts.begun) for starts in both) == [0, 1]
    assert (await ledger.run_of(waiting)).fence == 1


async def test_a_start_calls_the_current_version(ledger: Ledger, waiting: PersistedJob) -> None:
    await ledger.jobs.edit(
        "job",
        lambda job: replace(job.definition(), endpoint="http://one.example/new", method="PUT", headers={"A": "b"}),
    )
    [started] = (await ledger.starts.start(ME, [queued(await ledger.run_of(waiting))])).begun
    call = started.call
    assert (call.endpoint, call.method, call.headers, call.job_version) == (
        "http://one.example/new",
        "PUT",
        {"A": "b"},
        2,
    )
    assert (await ledger.run_of(waiting)).job_version == 2


async def test_a_run_whose_job_calls_another_host_now_is_left_for_that_host(
    ledger: Ledger, waiting: PersistedJob
) -> None:
    known = queued(await ledger.run_of(waiting))
    await ledger.jobs.edit("job", lambda job: replace(job.definition(), endpoint="http://two.example:81/hook"))
    assert (await ledger.starts.start(ME, [known])).begun == []
    assert (await ledger.run_of(waiting)).state == "pending"
    [found] = await ledger.starts.pending(10, [], NO_WAIT)
    assert found == replace(known, host="two.example:81")
    assert len((await ledger.starts.start(ME, [found])).begun) == 1


async def test_a_run_that_is_not_due_yet_is_not_started(
    ledger: Ledger, waiting: PersistedJob, clock: FakeClock
) -> None:
    clock.step(-JUST)
    assert (await ledger.starts.start(ME, [queued(await ledger.run_of(waiting))])).begun == []
    assert await ledger.starts.pending(10, [], NO_WAIT) == []


async def test_a_run_of_a_deleted_job_is_canceled_and_not_started(ledger: Ledger, waiting: PersistedJob) -> None:
    known = queued(await ledger.run_of(waiting))
    await ledger.jobs.delete("job")
    assert (await ledger.starts.start(ME, [known])).begun == []
    assert await ledger.starts.pending(10, [], NO_WAIT) == []
    run = await ledger.run_of(waiting)
    assert (run.state, run.reason, run.finished_at, run.fence) == ("canceled", "deleted", DUE, 0)


async def test_a_run_that_nobody_knows_is_not_started(ledger: Ledger, waiting: PersistedJob) -> None:
    run = queued(await ledger.run_of(waiting))
    assert (await ledger.starts.start(ME, [Queued(ME, run.ledger_at, run.host)])).begun == []


async def test_a_manual_run_of_a_paused_job_is_started(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(enabled=False)
    clock.step(SECOND)
    run = await ledger.runs.trigger("job")
    [found] = await ledger.starts.pending(10, [], NO_WAIT)
    [started] = (await ledger.starts.start(ME, [found])).begun
    assert (started.call.run_id, started.call.trigger, started.call.scheduled_for) == (run.id, "manual", NOON + SECOND)
    assert states(await ledger.runs_of(job)) == ["running"]


async def test_pending_runs_are_told_earliest_first_without_those_of_full_hosts(
    ledger: Ledger, clock: FakeClock
) -> None:
    jobs = [
        await ledger.create(host, f"0 {minute} 12 * * *", endpoint=f"http://{host}.example/", policies=_PATIENT)
        for minute, host in enumerate(("late", "full", "early"), start=1)
    ]
    clock.step(3 * MINUTE)
    for job in jobs[::-1]:
        await ledger.claim(clock.now(), job, slots=room_for(0))

    async def hosts(limit: int, full: list[str], overdue: timedelta) -> list[str]:
        return [run.host for run in await ledger.starts.pending(limit, full, overdue)]

    everything = ["late.example:80", "full.example:80", "early.example:80"]
    assert await hosts(10, [], NO_WAIT) == everything
    assert await hosts(2, [], NO_WAIT) == everything[:2]
    assert await hosts(10, ["full.example:80"], NO_WAIT) == [everything[0], everything[2]]
    assert await hosts(10, [], MINUTE) == everything[:2]
    assert await hosts(10, [], MINUTE + JUST) == everything[:1]


async def test_a_run_that_was_cut_off_waits_behind_those_that_were_due_before(ledger: Ledger, clock: FakeClock) -> None:
    midnight = NOON.replace(hour=0) + timedelta(days=1)
    clock.step(midnight - 2 * MINUTE - NOON)
    first = await ledger.create("first", "59 23 * * *")
    second = await ledger.create("second", "1 0 * * *")
    clock.step(MINUTE)
    started = await ledger.running(clock.now(), first)
    clock.step(2 * MINUTE)
    await ledger.claim(clock.now(), second, slots=room_for(0))
    clock.step(SECOND)
    await ledger.record(cut_off(started))
    found = await ledger.starts.pending(10, [], NO_WAIT)
    assert [run.ledger_at for run in found] == [midnight + MINUTE, midnight - MINUTE]


async def test_a_run_that_another_holds_is_passed_over(contended: Ledger, clock: FakeClock) -> None:
    job = await pending_job(contended, clock)
    run = queued(await contended.run_of(job))
    async with gate(contended.url, "SELECT FROM job_runs FOR UPDATE"):
        assert (await contended.starts.start(ME, [run])).begun == []
    assert len((await contended.starts.start(ME, [run])).begun) == 1


async def test_a_start_that_meets_a_delete_finds_the_run_canceled_afterwards(
    contended: Ledger, rival: Ledger, clock: FakeClock
) -> None:
    job = await pending_job(contended, clock)
    run = queued(await contended.run_of(job))
    async with gate(contended.url, "LOCK TABLE job_versions IN SHARE MODE") as held:
        deleting = asyncio.create_task(rival.jobs.delete("job"))
        await held.until_waiting(1)
        assert await contended.starts.start(ME, [run]) == Starts(busy=[run])
        await held.open()
        await deleting
    assert await contended.starts.start(ME, [run]) == Starts()
    assert states(await contended.runs_of(job)) == ["canceled"]
