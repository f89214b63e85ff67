from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from httpx2 import AsyncClient
from prometheus_client.parser import text_string_to_metric_families

from app.db.engine import Database
from app.domain.claim import Candidate, Claims, Finished, Started
from app.domain.entries import JobRow
from app.domain.misfire import Plan, PlannedRun
from app.domain.recurrence import Recurrence
from app.domain.run import Call, Outcome, State, Trigger
from app.metrics import Metrics
from tests.api.building import build_app, build_scheduler, build_services, client_of, create

AT = datetime(2027, 1, 1, tzinfo=UTC)


def samples(text: str) -> dict[str, float]:
    """`name{label="value"}` to value."""
    return {
        sample.name + "".join(f"{{{name}={value}}}" for name, value in sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def scraped(metrics: Metrics) -> dict[str, float]:
    return samples(metrics.render(database_up=True)[0].decode())


def finished(outcome: Outcome | None, *, attempt: int = 1, trigger: Trigger = Trigger.SCHEDULE) -> Finished:
    call = Call(
        run_id=UUID(int=1),
        job_id=UUID(int=2),
        job_name="a secret name",
        job_version=1,
        scheduled_for=AT,
        trigger=trigger,
        attempt=attempt,
        endpoint="http://example.com/",
        method="POST",
        headers={},
        body=None,
        timeout_seconds=30,
    )
    began = AT + timedelta(milliseconds=20)
    return Finished(Started(call, AT, 1, "example.com:80", began), outcome, began, began + timedelta(seconds=2))


def candidate(*runs: PlannedRun) -> Candidate:
    row = JobRow(1, UUID(int=2), "a secret name", 1, AT, Recurrence("* * * * *"))
    return Candidate(row, Plan(AT, AT, None, list(runs)))


def test_runs_are_counted_by_state_and_trigger() -> None:
    metrics = Metrics()
    metrics.recorded(finished(Outcome(error=None)), State.SUCCEEDED)
    metrics.recorded(finished(Outcome(error=None)), State.SUCCEEDED)
    metrics.recorded(finished(Outcome(error="status 500"), trigger=Trigger.MANUAL), State.FAILED)
    metrics.recorded(finished(None), State.LOST)
    metrics.recorded(finished(Outcome(error="status 500")), State.PENDING)
    found = scraped(metrics)
    assert found["cronledger_runs_total{state=succeeded}{trigger=schedule}"] == 2
    assert found["cronledger_runs_total{state=failed}{trigger=manual}"] == 1
    assert found["cronledger_runs_total{state=lost}{trigger=schedule}"] == 1
    assert not any("pending" in name for name in found)


def test_runs_that_were_born_ended_are_counted_too() -> None:
    metrics = Metrics()
    missed = PlannedRun(AT, state=State.MISSED, reason="no replica")
    metrics.claimed(Claims(won=[candidate(missed, missed, PlannedRun(AT, Trigger.CATCH_UP))]))
    found = scraped(metrics)
    assert found["cronledger_runs_total{state=missed}{trigger=schedule}"] == 2
    assert "cronledger_runs_total{state=pending}{trigger=catch_up}" not in found


def test_claims_are_counted_by_what_the_ledger_said() -> None:
    metrics = Metrics()
    metrics.claimed(Claims(won=[candidate()] * 3, moved=[(candidate(), AT)] * 2, early=[candidate()]))
    metrics.claimed(Claims(won=[candidate()], stale=[candidate()]))
    found = scraped(metrics)
    assert {
        each: found[f"cronledger_claims_total{{result={each}}}"] for each in ("won", "moved", "early", "stale")
    } == {
        "won": 4,
        "moved": 2,
        "early": 1,
        "stale": 1,
    }


def test_lag_is_that_of_the_first_attempt_and_duration_that_of_each() -> None:
    metrics = Metrics()
    metrics.recorded(finished(None), State.PENDING)
    metrics.recorded(finished(Outcome(error=None), attempt=2), State.SUCCEEDED)
    found = scraped(metrics)
    assert found["cronledger_run_lag_seconds_count{trigger=schedule}"] == 1
    assert found["cronledger_run_lag_seconds_sum{trigger=schedule}"] == pytest.approx(0.02)
    assert found["cronledger_run_lag_seconds_bucket{le=0.01}{trigger=schedule}"] == 0
    assert found["cronledger_run_lag_seconds_bucket{le=3600.0}{trigger=schedule}"] == 1
    assert found["cronledger_call_duration_seconds_count"] == 2
    assert found["cronledger_call_duration_seconds_sum"] == pytest.approx(4)
    assert found["cronledger_calls_cut_off_total"] == 1


def test_what_people_want_of_a_past_instant_is_not_late_by_its_age() -> None:
    metrics = Metrics()
    for trigger in (Trigger.RETRY, Trigger.BACKFILL):
        metrics.recorded(finished(Outcome(error=None), trigger=trigger), State.SUCCEEDED)
    found = scraped(metrics)
    assert not any(name.startswith("cronledger_run_lag_seconds_count") for name in found)
    assert found["cronledger_call_duration_seconds_count"] == 2


def test_runs_that_no_call_ended_are_counted() -> None:
    metrics = Metrics()
    metrics.ended(State.CANCELED, Trigger.MANUAL)
    assert scraped(metrics)["cronledger_runs_total{state=canceled}{trigger=manual}"] == 1


def test_results_that_nobody_wants_are_counted() -> None:
    metrics = Metrics()
    metrics.discarded(finished(Outcome(error=None)))
    assert scraped(metrics)["cronledger_results_discarded_total"] == 1


def test_no_label_holds_a_name() -> None:
    metrics = Metrics()
    metrics.claimed(Claims(won=[candidate(PlannedRun(AT, state=State.MISSED))]))
    metrics.recorded(finished(Outcome(error=None)), State.SUCCEEDED)
    assert "secret" not in metrics.render(database_up=True)[0].decode()


def test_two_services_in_one_process_count_apart() -> None:
    one, other = Metrics(), Metrics()
    one.discarded(finished(None))
    assert scraped(other)["cronledger_results_discarded_total"] == 0


async def test_a_scrape_tells_the_state_of_the_scheduler(database: Database) -> None:
    metrics = Metrics()
    scheduler = build_scheduler(database, metrics)
    metrics.watch(scheduler)
    async with client_of(build_app(build_services(database, scheduler), metrics)) as client:
        await create(client)
        await scheduler.start()
        try:
            await client.post("/v1/jobs/nightly/trigger")
            found = await scraped_until(client, "cronledger_runs_total{state=succeeded}{trigger=manual}")
        finally:
            await scheduler.stop(0)
    assert found["cronledger_entries"] == 1
    assert found["cronledger_calls_in_flight"] == 0
    assert found["cronledger_runs_waiting"] == 0
    assert found["cronledger_loops_stalled"] == 0
    assert found["cronledger_database_up"] == 1
    assert abs(found["cronledger_clock_skew_seconds"]) < 5
    assert found["cronledger_event_loop_lag_seconds_count"] > 0


async def scraped_until(client: AsyncClient, name: str) -> dict[str, float]:
    async with asyncio.timeout(10):
        while True:
            answer = await client.get("/metrics")
            assert answer.headers["content-type"].startswith("text/plain; version=")
            if name in (found := samples(answer.text)):
                return found
