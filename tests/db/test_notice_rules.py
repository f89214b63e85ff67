"""What rules for notices may say, and the calls that are made by them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from app.db.runs import RunFilter
from app.domain.claim import Paused
from app.domain.clock import FakeClock
from app.domain.errors import Conflict, InvalidEndpoint, InvalidInput, RefusedTarget
from app.domain.job import JobDefinition
from app.domain.notice import Event, Notify
from app.domain.policies import Delivery, Policies
from app.domain.run import State, Trigger
from app.service.jobs import JobService
from app.target.address import Targets
from app.target.reach import Reach
from tests.db.building import ME, MINUTE, NOON, ONCE, SECOND, Ledger, ended, queued
from tests.db.noticing import HOST, RULE, TOLD, notices_of, run_job, told_of


async def test_rules_are_those_of_the_job_as_it_is_now(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(policies=TOLD)
    clock.step(MINUTE)
    started = await ledger.running(clock.now(), job)
    await ledger.patch("job", policies=ONCE)
    await ledger.record(ended(started, error="status 503"))
    assert await told_of(ledger, job) == []


async def test_a_notice_calls_its_own_endpoint_by_the_default_policies(ledger: Ledger, clock: FakeClock) -> None:
    policies = replace(TOLD, concurrency_key="key", delivery=Delivery.AT_MOST_ONCE, deadline_seconds=1.0)
    job = await ledger.create(policies=policies, method="PUT", headers={"X-Job": "yes"}, body="ours", timeout_seconds=7)
    clock.step(MINUTE)
    [started] = (await ledger.starts.start(ME, (await ledger.claim(clock.now(), job)).queued)).begun
    await ledger.record(ended(started, error="status 503"))
    [notice] = await notices_of(ledger, job)
    assert (await ledger.starts.start(ME, [queued(notice)])).begun == []  # that is the job's host
    [pending] = await ledger.starts.pending(10, [], timedelta())
    assert (pending.run_id, pending.host) == (notice.id, HOST)
    assert await ledger.starts.pending(10, [HOST], timedelta()) == []
    [started] = (await ledger.starts.start(ME, [pending])).begun
    call = started.call
    assert (call.endpoint, call.method, call.headers) == (RULE.endpoint, "POST", {"X-Team": "ops"})
    assert (call.body, call.event, call.timeout_seconds) == (notice.call["body"], "failure", 30.0)
    assert (started.host, started.policies, started.deadline_at) == (HOST, Policies(), None)
    [row] = await notices_of(ledger, job)
    assert (row.state, row.limit_key) == ("running", None)


async def test_a_run_queued_for_another_host_is_not_started_beside_a_notice(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(policies=TOLD)
    await run_job(ledger, clock, job)
    [notice] = await notices_of(ledger, job)
    run = await ledger.runs.trigger("job")
    started = (await ledger.starts.start(ME, [queued(notice, HOST), queued(run, "former.example:80")])).begun
    assert [each.call.run_id for each in started] == [notice.id]


async def test_a_notice_is_tried_again_at_its_own_host(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(policies=TOLD)
    await run_job(ledger, clock, job)
    for attempt in (1, 2, 3):
        [notice] = await notices_of(ledger, job)
        [started] = (await ledger.starts.start(ME, [queued(notice, HOST)])).begun
        recorded = await ledger.records.record(ME, [ended(started, error="status 503")])
        assert [(run.run_id, run.host) for run in recorded.queued] == ([(notice.id, HOST)] if attempt < 3 else [])
        clock.step(MINUTE)
    [notice] = await notices_of(ledger, job)
    assert (notice.state, notice.attempt) == ("failed", 3)


@pytest.mark.parametrize("error", [None, "status 400"])
async def test_what_becomes_of_a_notice_is_no_fact_of_its_job(
    ledger: Ledger, clock: FakeClock, error: str | None
) -> None:
    job = await ledger.create(policies=replace(TOLD, pause_after_failures=2))
    await run_job(ledger, clock, job)
    before = await ledger.row_of(job)
    clock.step(SECOND)
    [notice] = await notices_of(ledger, job)
    [started] = (await ledger.starts.start(ME, [queued(notice, HOST)])).begun
    await ledger.record(ended(started, error=error))
    assert await ledger.row_of(job) == before
    assert await told_of(ledger, job) == ["failure"]
    assert await ledger.failing.pause_failing() == Paused()


async def test_a_notice_keeps_no_run_waiting(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(policies=TOLD)
    await run_job(ledger, clock, job)
    [notice] = await notices_of(ledger, job)
    [_] = (await ledger.starts.start(ME, [queued(notice, HOST)])).begun
    clock.step(MINUTE)
    assert len((await ledger.claim(clock.now(), job)).started) == 1


async def test_notices_of_a_deleted_job_are_canceled(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(policies=TOLD)
    await run_job(ledger, clock, job)
    await ledger.jobs.delete("job")
    [notice] = await notices_of(ledger, job)
    assert (notice.state, notice.reason) == ("canceled", "deleted")


async def test_a_notice_is_not_retried_as_a_run_of_its_job(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(policies=TOLD)
    await run_job(ledger, clock, job)
    [notice] = await notices_of(ledger, job)
    [started] = (await ledger.starts.start(ME, [queued(notice, HOST)])).begun
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
    service = JobService(ledger.database, ledger.heard, Reach(Targets.PUBLIC))
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
    await run_job(ledger, clock, job)
    [found] = await ledger.runs.page(RunFilter(trigger=Trigger.NOTIFY), None, 10)
    assert (found.trigger, found.ledger_at) == (Trigger.NOTIFY, NOON + MINUTE)
    assert job.uid == found.job_id


async def test_headers_of_rules_stay_out_of_the_versions(ledger: Ledger) -> None:
    rule = Notify(on=(Event.FAILURE,), endpoint="http://two.example/", headers={"Authorization": "Bearer secret"})
    job = await ledger.create(policies=Policies(notify=(rule,)))
    [version] = await ledger.versions_of(job)
    assert [told["endpoint"] for told in version.definition["policies"]["notify"]] == ["http://two.example/"]
    assert "secret" not in str(version.definition)
