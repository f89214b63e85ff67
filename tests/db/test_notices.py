"""Notices: told on a change of state, by the transaction that decides it, as runs of their own."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from app.db import migrate
from app.db.runs import RunFilter
from app.domain.clock import FakeClock
from app.domain.errors import Conflict, InvalidEndpoint, InvalidInput, RefusedTarget
from app.domain.job import JobDefinition, PersistedJob
from app.domain.notice import Event, Notify
from app.domain.policies import Delivery, Misfire, Overlap, Policies
from app.domain.retry import Retry
from app.domain.run import State, Trigger
from app.service.jobs import JobService
from app.target.address import Targets
from tests.db.building import JUST, ME, MINUTE, NOON, ONCE, OTHER, SECOND, Ledger, cut_off, ended, queued, states

HOST = "ops.example:8443"
RULE = Notify(on=tuple(Event), endpoint="https://ops.example:8443/told", headers={"X-Team": "ops"})
TOLD = replace(ONCE, notify=(RULE,))
LEASE = timedelta(seconds=30)


async def _run(ledger: Ledger, clock: FakeClock, job: PersistedJob, error: str | None = "status 503") -> None:
    clock.step(MINUTE)
    await ledger.record(ended(await ledger.running(clock.now(), job), error=error))


async def _notices(ledger: Ledger, job: PersistedJob) -> list[Any]:
    return [run for run in await ledger.runs_of(job) if run.trigger == "notify"]


async def _both(ledger: Ledger, job: PersistedJob) -> list[Any]:
    """The run that is told of, and its notice."""
    return sorted(await ledger.runs_of(job), key=lambda run: run.trigger == "notify")


async def _told(ledger: Ledger, job: PersistedJob) -> list[str]:
    return [run.call["body"]["event"] for run in await _notices(ledger, job)]


async def test_a_change_is_told_and_not_each_failure(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(policies=TOLD)
    for error in (None, "status 503", "status 400", None, None, "timeout after 1 s"):
        await _run(ledger, clock, job, error)
    assert await _told(ledger, job) == ["failure", "recovery", "failure"]


async def test_a_notice_is_a_pending_run_that_says_what_became_of_the_other(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(policies=TOLD)
    await _run(ledger, clock, job)
    failed, notice = await _both(ledger, job)
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
    await _run(ledger, clock, job)
    assert await _told(ledger, job) == []


async def test_what_people_start_may_recover_a_job_and_never_fails_it(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(policies=TOLD)
    for error, told in (("status 503", []), (None, [])):
        await _run_by_hand(ledger, error)
        assert await _told(ledger, job) == told
    await _run(ledger, clock, job)
    clock.step(SECOND)
    await _run_by_hand(ledger, None)
    assert await _told(ledger, job) == ["failure", "recovery"]


async def _run_by_hand(ledger: Ledger, error: str | None) -> None:
    run = await ledger.runs.trigger("job")
    [started] = await ledger.starts.start(ME, [queued(run)])
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
    await _run(ledger, clock, job)
    await _run(ledger, clock, job, None)
    told = sorted((run.host, run.call["body"]["event"]) for run in await _notices(ledger, job))
    assert told == [("both.example:80", "failure"), ("both.example:80", "recovery"), ("good.example:80", "recovery")]


async def test_a_batch_tells_each_change_within_it(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(policies=replace(TOLD, overlap=Overlap.ALLOW))
    runs = []
    for _ in range(4):
        clock.step(MINUTE)
        runs.append(await ledger.running(clock.now(), job))
    errors = ["status 503", None, "status 503", "status 503"]
    await ledger.record(*[ended(run, error=error) for run, error in zip(runs, errors, strict=True)])
    assert sorted(await _told(ledger, job)) == ["failure", "failure", "recovery"]


async def test_a_run_that_is_recorded_twice_is_told_once(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(policies=TOLD)
    clock.step(MINUTE)
    result = ended(await ledger.running(clock.now(), job), error="status 503")
    assert [len(await ledger.record(result)) for _ in range(2)] == [1, 0]
    assert await _told(ledger, job) == ["failure"]


async def test_rules_are_those_of_the_job_as_it_is_now(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(policies=TOLD)
    clock.step(MINUTE)
    started = await ledger.running(clock.now(), job)
    await ledger.patch("job", policies=ONCE)
    await ledger.record(ended(started, error="status 503"))
    assert await _told(ledger, job) == []


async def test_a_notice_calls_its_own_endpoint_by_the_default_policies(ledger: Ledger, clock: FakeClock) -> None:
    policies = replace(TOLD, concurrency_key="key", delivery=Delivery.AT_MOST_ONCE, deadline_seconds=1.0)
    job = await ledger.create(policies=policies, method="PUT", headers={"X-Job": "yes"}, body="ours", timeout_seconds=7)
    clock.step(MINUTE)
    [started] = await ledger.starts.start(ME, (await ledger.claim(clock.now(), job)).queued)
    await ledger.record(ended(started, error="status 503"))
    [notice] = await _notices(ledger, job)
    assert await ledger.starts.start(ME, [queued(notice)]) == []  # that is the job's host
    [pending] = await ledger.starts.pending(10, [], timedelta())
    assert (pending.run_id, pending.host) == (notice.id, HOST)
    assert await ledger.starts.pending(10, [HOST], timedelta()) == []
    [started] = await ledger.starts.start(ME, [pending])
    call = started.call
    assert (call.endpoint, call.method, call.headers) == (RULE.endpoint, "POST", {"X-Team": "ops"})
    assert (call.body, call.event, call.timeout_seconds) == (notice.call["body"], "failure", 30.0)
    assert (started.host, started.policies, started.deadline_at) == (HOST, Policies(), None)
    [row] = await _notices(ledger, job)
    assert (row.state, row.limit_key) == ("running", None)


async def test_a_run_queued_for_another_host_is_not_started_beside_a_notice(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(policies=TOLD)
    await _run(ledger, clock, job)
    [notice] = await _notices(ledger, job)
    run = await ledger.runs.trigger("job")
    started = await ledger.starts.start(ME, [queued(notice, HOST), queued(run, "former.example:80")])
    assert [each.call.run_id for each in started] == [notice.id]


async def test_a_notice_is_tried_again_at_its_own_host(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(policies=TOLD)
    await _run(ledger, clock, job)
    for attempt in (1, 2, 3):
        [notice] = await _notices(ledger, job)
        [started] = await ledger.starts.start(ME, [queued(notice, HOST)])
        recorded = await ledger.records.record(ME, [ended(started, error="status 503")])
        assert [(run.run_id, run.host) for run in recorded.queued] == ([(notice.id, HOST)] if attempt < 3 else [])
        clock.step(MINUTE)
    [notice] = await _notices(ledger, job)
    assert (notice.state, notice.attempt) == ("failed", 3)


@pytest.mark.parametrize("error", [None, "status 400"])
async def test_what_becomes_of_a_notice_is_no_fact_of_its_job(
    ledger: Ledger, clock: FakeClock, error: str | None
) -> None:
    job = await ledger.create(policies=replace(TOLD, pause_after_failures=2))
    await _run(ledger, clock, job)
    before = await ledger.row_of(job)
    clock.step(SECOND)
    [notice] = await _notices(ledger, job)
    [started] = await ledger.starts.start(ME, [queued(notice, HOST)])
    await ledger.record(ended(started, error=error))
    assert await ledger.row_of(job) == before
    assert await _told(ledger, job) == ["failure"]
    assert await ledger.failing.pause_failing() == ([], [])


async def test_a_notice_keeps_no_run_waiting(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(policies=TOLD)
    await _run(ledger, clock, job)
    [notice] = await _notices(ledger, job)
    [_] = await ledger.starts.start(ME, [queued(notice, HOST)])
    clock.step(MINUTE)
    assert len((await ledger.claim(clock.now(), job)).started) == 1


async def test_occurrences_that_were_missed_are_told_once_an_outage(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(policies=replace(TOLD, misfire=Misfire(max=3)))
    clock.step(10 * MINUTE)
    await ledger.claim(clock.now(), job)
    [notice] = await _notices(ledger, job)
    missed = [run for run in await ledger.runs_of(job) if run.state == "missed"]
    [span] = await ledger.spans_of(job)
    told = notice.call["body"]
    assert (told["event"], told["state"], told["reason"]) == ("missed", "missed", "no replica")
    assert (told["run_id"], told["count"]) == (str(missed[-1].id), len(missed) + (span.count or 0))
    assert told["count"] == 7
    clock.step(MINUTE)
    await ledger.claim(clock.now(), job)
    assert await _told(ledger, job) == ["missed"]


async def test_a_stretch_without_rows_names_no_run(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(policies=replace(TOLD, misfire=Misfire(max=1)))
    clock.step(10 * MINUTE)
    await ledger.claim(clock.now(), job)
    [notice] = await _notices(ledger, job)
    told = notice.call["body"]
    assert (told["run_id"], told["scheduled_for"], told["count"]) == (None, None, 7)


async def test_what_an_edit_settles_as_missed_is_told(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(policies=TOLD)
    clock.step(5 * MINUTE)
    await ledger.patch("job", description="another")
    [notice] = await _notices(ledger, job)
    assert (notice.call["body"]["event"], notice.call["body"]["count"]) == ("missed", 2)
    assert notice.host == HOST


async def test_nothing_is_told_where_nothing_was_missed(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(policies=TOLD)
    clock.step(2 * MINUTE)
    await ledger.claim(clock.now(), job)  # a misfire, caught up
    assert await _notices(ledger, job) == []


@pytest.mark.parametrize("by", ["a drain", "a death"])
async def test_a_lost_run_is_told(ledger: Ledger, clock: FakeClock, by: str) -> None:
    job = await ledger.create(policies=replace(TOLD, delivery=Delivery.AT_MOST_ONCE))
    await ledger.replicas.join(OTHER, "here")
    clock.step(MINUTE)
    started = await ledger.running(clock.now(), job, replica=OTHER)
    if by == "a drain":
        await ledger.record(cut_off(started), replica=OTHER)
    else:
        await _die(ledger, clock)
    lost, notice = await _both(ledger, job)
    told = notice.call["body"]
    assert (told["event"], told["run_id"], told["state"], told["attempt"]) == ("lost", str(lost.id), "lost", 1)
    assert told["reason"] == lost.reason
    await _run(ledger, clock, job, None)
    assert await _told(ledger, job) == ["lost"]  # no failure, and so no recovery


async def _die(ledger: Ledger, clock: FakeClock) -> None:
    clock.step(LEASE + JUST)
    await ledger.replicas.beat(ME)
    await ledger.replicas.bury(LEASE)


async def test_a_notice_whose_replica_died_is_called_again_and_in_the_end_lost_in_silence(
    ledger: Ledger, clock: FakeClock
) -> None:
    job = await ledger.create(policies=replace(TOLD, delivery=Delivery.AT_MOST_ONCE))
    await _run(ledger, clock, job)
    await ledger.replicas.join(ME, "here")
    fates = []
    for _ in range(4):
        clock.step(SECOND)
        [notice] = await _notices(ledger, job)
        [_] = await ledger.starts.start(OTHER, [queued(notice, HOST)])
        await _die(ledger, clock)
        fates += states(await _notices(ledger, job))
    assert fates == ["pending", "pending", "pending", "lost"]


async def test_a_run_past_its_deadline_is_a_failure_once(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(policies=replace(TOLD, deadline_seconds=30.0, overlap=Overlap.ALLOW, jitter_seconds=20.0))
    for _ in range(2):
        clock.step(MINUTE)
        await ledger.claim(clock.now(), job)
    clock.step(MINUTE)
    assert len((await ledger.starts.expire()).became) == 2
    [notice] = await _notices(ledger, job)
    told = notice.call["body"]
    assert (told["event"], told["reason"], told["attempt"]) == ("failure", "deadline", 0)
    assert (await ledger.row_of(job)).failing
    clock.step(SECOND)
    await ledger.claim(clock.now(), job)
    clock.step(MINUTE)
    await ledger.starts.expire()
    assert await _told(ledger, job) == ["failure"]


async def test_a_pause_of_its_own_is_told(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(policies=replace(TOLD, pause_after_failures=2))
    for _ in range(2):
        await _run(ledger, clock, job)
    await ledger.failing.pause_failing()
    assert await _told(ledger, job) == ["failure", "auto_paused"]
    told = (await _notices(ledger, job))[-1].call["body"]
    assert (told["reason"], told["error"], told["count"]) == ("paused after 2 failed runs", "status 503", 2)


async def test_a_job_that_was_resumed_still_recovers(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(policies=TOLD)
    await _run(ledger, clock, job)
    await ledger.jobs.set_enabled("job", enabled=False)
    job = await ledger.jobs.set_enabled("job", enabled=True)
    await _run(ledger, clock, job, None)
    assert await _told(ledger, job) == ["failure", "recovery"]


async def test_notices_of_a_deleted_job_are_canceled(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(policies=TOLD)
    await _run(ledger, clock, job)
    await ledger.jobs.delete("job")
    [notice] = await _notices(ledger, job)
    assert (notice.state, notice.reason) == ("canceled", "deleted")


async def test_a_notice_is_not_retried_as_a_run_of_its_job(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(policies=TOLD)
    await _run(ledger, clock, job)
    [notice] = await _notices(ledger, job)
    [started] = await ledger.starts.start(ME, [queued(notice, HOST)])
    await ledger.record(ended(started))
    with pytest.raises(Conflict, match="is a notice"):
        await ledger.runs.retry(notice.id)


async def test_endpoints_are_kept_in_their_canonical_form(ledger: Ledger) -> None:
    job = await ledger.create(policies=replace(ONCE, notify=(replace(RULE, endpoint="https://OPS.example:443"),)))
    assert [rule.endpoint for rule in job.policies.notify] == ["https://ops.example/"]


@pytest.mark.parametrize(
    ("rule", "kind", "field"),
    [
        (replace(RULE, endpoint="ftp://ops.example/"), InvalidEndpoint, "notify.1.endpoint"),
        (replace(RULE, headers={"Host": "other"}), InvalidInput, "notify.1.headers.Host"),
    ],
)
async def test_a_rule_that_can_not_be_called_is_refused(
    ledger: Ledger, rule: Notify, kind: type[InvalidInput], field: str
) -> None:
    with pytest.raises(kind) as refused:
        await ledger.create(policies=replace(ONCE, notify=(RULE, rule)))
    assert refused.value.field == field
    assert refused.value.message.startswith("notify.1.")


async def test_a_rule_that_leads_to_where_no_call_may_go_is_refused(ledger: Ledger) -> None:
    service = JobService(ledger.database, ledger.heard, Targets.PUBLIC)
    policies = replace(ONCE, notify=(replace(RULE, endpoint="http://127.0.0.1/"),))
    definition = JobDefinition(name="job", schedule="@hourly", endpoint="http://one.example/", policies=policies)
    with pytest.raises(RefusedTarget) as refused:
        await service.create(definition)
    assert refused.value.field == "notify.0.endpoint"


async def test_rules_that_can_not_be_read_tell_nothing(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(policies=TOLD)
    clock.step(MINUTE)
    started = await ledger.running(clock.now(), job)
    await ledger.overwrite(job, policies={"notify": [{"on": ["eclipse"], "endpoint": "http://ops.example/"}]})
    await ledger.record(ended(started, error="status 503"))
    assert (await ledger.run_of(job)).state == State.FAILED


async def test_runs_can_be_found_by_the_trigger(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(policies=TOLD)
    await _run(ledger, clock, job)
    [found] = await ledger.runs.page(RunFilter(trigger=Trigger.NOTIFY), None, 10)
    assert (found.trigger, found.ledger_at) == (Trigger.NOTIFY, NOON + MINUTE)
    assert job.uid == found.job_id


async def test_the_release_before_keeps_no_notices_and_the_one_after_knows_what_is_failing(
    ledger: Ledger, clock: FakeClock
) -> None:
    jobs = {name: await ledger.create(name, policies=TOLD) for name in ("failing", "fine")}
    await _run(ledger, clock, jobs["failing"])
    await ledger.close()
    await asyncio.to_thread(migrate.downgrade, ledger.url, "20261124_callbacks")
    await asyncio.to_thread(migrate.upgrade, ledger.url)
    assert [run.trigger for run in await ledger.runs_of(jobs["failing"])] == ["schedule"]
    assert [(await ledger.row_of(job)).failing for job in jobs.values()] == [True, False]


async def test_headers_of_rules_stay_out_of_the_versions(ledger: Ledger) -> None:
    rule = Notify(on=(Event.FAILURE,), endpoint="http://two.example/", headers={"Authorization": "Bearer secret"})
    job = await ledger.create(policies=Policies(notify=(rule,)))
    [version] = await ledger.versions_of(job)
    assert [told["endpoint"] for told in version.definition["policies"]["notify"]] == ["http://two.example/"]
    assert "secret" not in str(version.definition)
