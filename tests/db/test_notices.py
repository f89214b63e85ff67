"""Notices: told on a change of state, by the transaction that decides it, as runs of their own."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from app.db import migrate
from app.domain.clock import FakeClock
from app.domain.job import PersistedJob
from app.domain.notice import Event, Notify
from app.domain.policies import Delivery, Misfire, Overlap
from app.domain.retry import Retry
from tests.db.building import JUST, ME, MINUTE, ONCE, OTHER, SECOND, Ledger, cut_off, ended, queued, states
from tests.db.noticing import HOST, RULE, TOLD, notices_of, run_job, told_of

LEASE = timedelta(seconds=30)


async def with_notices(ledger: Ledger, job: PersistedJob) -> list[Any]:
    """The run that is told of, and its notice."""
    return sorted(await ledger.runs_of(job), key=lambda run: run.trigger == "notify")


async def test_a_change_is_told_and_not_each_failure(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(policies=TOLD)
    for error in (None, "status 503", "status 400", None, None, "timeout after 1 s"):
        await run_job(ledger, clock, job, error)
    assert await told_of(ledger, job) == ["failure", "recovery", "failure"]


async def test_a_notice_is_a_pending_run_that_says_what_became_of_the_other(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(policies=TOLD)
    await run_job(ledger, clock, job)
    failed, notice = await with_notices(ledger, job)
    assert (notice.state, notice.due_at, notice.scheduled_for) == ("pending", clock.now(), clock.now())
    assert (notice.host, notice.job_name, notice.job_version) == (HOST, "job", 1)
    assert notice.call == {
        "endpoint": RULE.endpoint,
        "headers": {"X-Team": "ops"},
        "body": {
            "event": "failure",
            "job": "job",
            "job_id": str(job.uid),
            "run_id": str(failed.id),
            "scheduled_for": "2027-03-01T12:01:00Z",
            "state": "failed",
            "reason": None,
            "error": "status 503",
            "attempt": 1,
            "count": None,
        },
    }


async def test_an_attempt_that_is_made_again_is_no_failure(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(policies=replace(TOLD, retry=Retry(max_attempts=2)))
    await run_job(ledger, clock, job)
    assert await told_of(ledger, job) == []


async def test_what_people_start_may_recover_a_job_and_never_fails_it(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(policies=TOLD)
    for error, told in (("status 503", []), (None, [])):
        await run_by_hand(ledger, error)
        assert await told_of(ledger, job) == told
    await run_job(ledger, clock, job)
    clock.step(SECOND)
    await run_by_hand(ledger, None)
    assert await told_of(ledger, job) == ["failure", "recovery"]


async def run_by_hand(ledger: Ledger, error: str | None) -> None:
    run = await ledger.runs.trigger("job")
    [started] = (await ledger.starts.start(ME, [queued(run)])).begun
    await ledger.record(ended(started, error=error))


async def test_each_rule_is_told_what_it_asks_for(ledger: Ledger, clock: FakeClock) -> None:
    rules = tuple(
        Notify(on=on, endpoint=f"http://{name}.example/")
        for name, on in (
            ("both", (Event.FAILURE, Event.RECOVERY)),
            ("good", (Event.RECOVERY,)),
            ("none", (Event.LOST,)),
        )
    )
    job = await ledger.create(policies=replace(ONCE, notify=rules))
    await run_job(ledger, clock, job)
    await run_job(ledger, clock, job, None)
    told = sorted((run.host, run.call["body"]["event"]) for run in await notices_of(ledger, job))
    assert told == [("both.example:80", "failure"), ("both.example:80", "recovery"), ("good.example:80", "recovery")]


async def test_a_batch_tells_each_change_within_it(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(policies=replace(TOLD, overlap=Overlap.ALLOW))
    runs = []
    for _ in range(4):
        clock.step(MINUTE)
        runs.append(await ledger.running(clock.now(), job))
    errors = ["status 503", None, "status 503", "status 503"]
    await ledger.record(*[ended(run, error=error) for run, error in zip(runs, errors, strict=True)])
    assert sorted(await told_of(ledger, job)) == ["failure", "failure", "recovery"]


async def test_a_run_that_is_recorded_twice_is_told_once(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(policies=TOLD)
    clock.step(MINUTE)
    result = ended(await ledger.running(clock.now(), job), error="status 503")
    assert [len(await ledger.record(result)) for _ in range(2)] == [1, 0]
    assert await told_of(ledger, job) == ["failure"]


async def test_occurrences_that_were_missed_are_told_once_an_outage(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(policies=replace(TOLD, misfire=Misfire(max=3)))
    clock.step(10 * MINUTE)
    await ledger.claim(clock.now(), job)
    [notice] = await notices_of(ledger, job)
    missed = [run for run in await ledger.runs_of(job) if run.state == "missed"]
    [span] = await ledger.spans_of(job)
    told = notice.call["body"]
    assert (told["event"], told["state"], told["reason"]) == ("missed", "missed", "no replica")
    assert (told["run_id"], told["count"]) == (str(missed[-1].id), len(missed) + (span.count or 0))
    assert told["count"] == 7
    clock.step(MINUTE)
    await ledger.claim(clock.now(), job)
    assert await told_of(ledger, job) == ["missed"]


async def test_a_stretch_without_rows_names_no_run(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(policies=replace(TOLD, misfire=Misfire(max=1)))
    clock.step(10 * MINUTE)
    await ledger.claim(clock.now(), job)
    [notice] = await notices_of(ledger, job)
    told = notice.call["body"]
    assert (told["run_id"], told["scheduled_for"], told["count"]) == (None, None, 7)


async def test_what_an_edit_settles_as_missed_is_told(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(policies=TOLD)
    clock.step(5 * MINUTE)
    await ledger.patch("job", description="another")
    [notice] = await notices_of(ledger, job)
    assert (notice.call["body"]["event"], notice.call["body"]["count"]) == ("missed", 2)
    assert notice.host == HOST


async def test_nothing_is_told_where_nothing_was_missed(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(policies=TOLD)
    clock.step(2 * MINUTE)
    await ledger.claim(clock.now(), job)  # a misfire, caught up
    assert await notices_of(ledger, job) == []


@pytest.mark.parametrize("by", ["a drain", "a death"])
async def test_a_lost_run_is_told(ledger: Ledger, clock: FakeClock, by: str) -> None:
    job = await ledger.create(policies=replace(TOLD, delivery=Delivery.AT_MOST_ONCE))
    await ledger.replicas.join(OTHER, "here")
    clock.step(MINUTE)
    started = await ledger.running(clock.now(), job, replica=OTHER)
    if by == "a drain":
        await ledger.record(cut_off(started), replica=OTHER)
    else:
        await die(ledger, clock)
    lost, notice = await with_notices(ledger, job)
    told = notice.call["body"]
    assert (told["event"], told["run_id"], told["state"], told["attempt"]) == ("lost", str(lost.id), "lost", 1)
    assert told["reason"] == lost.reason
    await run_job(ledger, clock, job, None)
    assert await told_of(ledger, job) == ["lost"]  # no failure, and so no recovery


async def die(ledger: Ledger, clock: FakeClock) -> None:
    clock.step(LEASE + JUST)
    await ledger.replicas.beat(ME)
    await ledger.replicas.bury(LEASE)


async def test_a_notice_whose_replica_died_is_called_again_and_in_the_end_lost_in_silence(
    ledger: Ledger, clock: FakeClock
) -> None:
    job = await ledger.create(policies=replace(TOLD, delivery=Delivery.AT_MOST_ONCE))
    await run_job(ledger, clock, job)
    await ledger.replicas.join(ME, "here")
    fates = []
    for _ in range(4):
        clock.step(SECOND)
        [notice] = await notices_of(ledger, job)
        [_] = (await ledger.starts.start(OTHER, [queued(notice, HOST)])).begun
        await die(ledger, clock)
        fates += states(await notices_of(ledger, job))
    assert fates == ["pending", "pending", "pending", "lost"]


async def test_a_run_past_its_deadline_is_a_failure_once(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(policies=replace(TOLD, deadline_seconds=30.0, overlap=Overlap.ALLOW, jitter_seconds=20.0))
    for _ in range(2):
        clock.step(MINUTE)
        await ledger.claim(clock.now(), job)
    clock.step(MINUTE)
    assert len((await ledger.starts.expire()).became) == 2
    [notice] = await notices_of(ledger, job)
    told = notice.call["body"]
    assert (told["event"], told["reason"], told["attempt"]) == ("failure", "deadline", 0)
    assert (await ledger.row_of(job)).failing
    clock.step(SECOND)
    await ledger.claim(clock.now(), job)
    clock.step(MINUTE)
    await ledger.starts.expire()
    assert await told_of(ledger, job) == ["failure"]


async def test_a_pause_of_its_own_is_told(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(policies=replace(TOLD, pause_after_failures=2))
    for _ in range(2):
        await run_job(ledger, clock, job)
    await ledger.failing.pause_failing()
    assert await told_of(ledger, job) == ["failure", "auto_paused"]
    told = (await notices_of(ledger, job))[-1].call["body"]
    assert (told["reason"], told["error"], told["count"]) == ("paused after 2 failed runs", "status 503", 2)


async def test_a_job_that_was_resumed_still_recovers(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(policies=TOLD)
    await run_job(ledger, clock, job)
    await ledger.jobs.set_enabled("job", enabled=False)
    job = await ledger.jobs.set_enabled("job", enabled=True)
    await run_job(ledger, clock, job, None)
    assert await told_of(ledger, job) == ["failure", "recovery"]


async def test_the_release_before_keeps_no_notices_and_the_one_after_knows_what_is_failing(
    ledger: Ledger, clock: FakeClock
) -> None:
    jobs = {name: await ledger.create(name, policies=TOLD) for name in ("failing", "fine")}
    await run_job(ledger, clock, jobs["failing"])
    await ledger.close()
    await asyncio.to_thread(migrate.downgrade, ledger.url, "20261124_callbacks")
    await asyncio.to_thread(migrate.upgrade, ledger.url)
    assert [run.trigger for run in await ledger.runs_of(jobs["failing"])] == ["schedule"]
    assert [(await ledger.row_of(job)).failing for job in jobs.values()] == [True, False]
