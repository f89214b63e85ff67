"""Past occurrences of a job, run because a person wants it: which of them, and how far they are."""

from __future__ import annotations

import asyncio
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from app.db.tables import job_runs
from app.domain import backfill as limits
from app.domain.backfill import BackfillRequest, BackfillState, Progress
from app.domain.clock import FakeClock
from app.domain.errors import Conflict, InvalidInput, JobNotFound
from app.domain.exclude import Days
from app.domain.identity import backfilled_id
from app.domain.job import PersistedJob
from app.domain.policies import Overlap, Policies
from app.domain.retry import Retry
from app.domain.run import State
from tests.db.building import MINUTE, NOON, SECOND, Ledger, ended, minutes, scheduled
from tests.db.locks import gate

HOUR = timedelta(hours=1)


def over(since: datetime, until: datetime, **more: Any) -> BackfillRequest:
    return BackfillRequest(since=since, until=until, **more)


async def made(ledger: Ledger, job: PersistedJob) -> list[datetime]:
    """The instants of its backfilled runs, in the order of the instants."""
    return sorted(scheduled(run for run in await ledger.runs_of(job) if run.trigger == "backfill"))


async def test_each_past_occurrence_has_a_run_that_waits_for_its_turn(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(schedule="*/10 * * * *")
    clock.step(5 * SECOND)
    backfill, progress = await ledger.backfills.create("job", over(NOON - HOUR, NOON, concurrency=2))
    assert (backfill.total, backfill.left_out, backfill.next_since) == (6, 0, None)
    assert (backfill.job_id, backfill.job_version, backfill.created_at) == (job.uid, 1, clock.now())
    assert progress == Progress({State.PENDING: 6})
    runs = sorted(await ledger.runs_of(job), key=lambda run: run.scheduled_for)
    assert scheduled(runs) == [NOON - HOUR + 10 * MINUTE * each for each in range(1, 7)]
    assert {(run.trigger, run.state, run.due_at, run.ledger_at, run.backfill_id) for run in runs} == {
        ("backfill", "pending", clock.now(), clock.now(), backfill.id)
    }
    assert {run.waiting_for for run in runs} == {f"backfill {backfill.id}"}
    assert [run.id for run in runs] == [backfilled_id(backfill.id, clock.now(), run.scheduled_for) for run in runs]
    assert [run.run_id for run in ledger.heard.queued] == [run.id for run in runs[:2]]


async def test_the_instant_since_is_not_run_and_the_instant_until_is(ledger: Ledger) -> None:
    job = await ledger.create()
    await ledger.backfills.create("job", over(NOON - 3 * MINUTE, NOON - MINUTE))
    assert await made(ledger, job) == [NOON - 2 * MINUTE, NOON - MINUTE]


async def test_of_more_than_the_most_the_oldest_are_run_and_the_answer_says_where_to_go_on(ledger: Ledger) -> None:
    job = await ledger.create()
    since, reached = NOON - 10 * MINUTE, []
    for _ in range(3):
        backfill, _ = await ledger.backfills.create("job", over(since, NOON, max=4))
        reached.append((backfill.total, backfill.left_out, backfill.next_since))
        since = backfill.next_since or since
    assert reached == [(4, 6, NOON - 6 * MINUTE), (4, 2, NOON - 2 * MINUTE), (2, 0, None)]
    assert await made(ledger, job) == minutes(NOON - 9 * MINUTE, 10)


async def test_a_range_that_holds_as_many_as_are_allowed_leaves_nothing_out(ledger: Ledger) -> None:
    await ledger.create()
    backfill, _ = await ledger.backfills.create("job", over(NOON - 4 * MINUTE, NOON, max=4))
    assert (backfill.total, backfill.left_out, backfill.next_since) == (4, 0, None)


async def test_where_very_many_need_no_run_the_answer_says_up_to_where_it_looked(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MOST_LOOKED_AT", 10)
    today = Days(NOON.date(), NOON.date())
    job = await ledger.create(policies=Policies(exclude=(today,)))
    backfill, _ = await ledger.backfills.create("job", over(NOON - 15 * MINUTE, NOON))
    assert (backfill.total, backfill.left_out, backfill.next_since) == (0, 5, NOON - 5 * MINUTE)
    assert await made(ledger, job) == []


async def test_excluded_days_are_left_out(ledger: Ledger) -> None:
    job = await ledger.create(
        schedule="0 0 * * *", policies=Policies(exclude=(Days(date(2027, 2, 27), date(2027, 2, 27)),))
    )
    await ledger.backfills.create("job", over(NOON - 3 * 24 * HOUR, NOON))
    assert [at.day for at in await made(ledger, job)] == [28, 1]


async def test_the_schedule_is_the_one_that_the_job_has_now(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create()
    clock.step(SECOND)
    await ledger.patch("job", schedule="30 * * * *")
    backfill, _ = await ledger.backfills.create("job", over(NOON - 2 * HOUR, NOON))
    assert backfill.job_version == 2
    assert await made(ledger, job) == [NOON - HOUR - 30 * MINUTE, NOON - 30 * MINUTE]


async def test_nothing_to_run_is_done_at_once(ledger: Ledger) -> None:
    await ledger.create(schedule="0 0 1 1 *")
    backfill, progress = await ledger.backfills.create("job", over(NOON - HOUR, NOON))
    assert (backfill.total, progress.state(backfill)) == (0, BackfillState.DONE)
    assert progress.finished_at(backfill) == backfill.created_at


async def test_a_paused_job_is_backfilled(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create()
    await ledger.jobs.set_enabled("job", enabled=False)
    clock.step(10 * MINUTE)
    await ledger.backfills.create("job", over(NOON, clock.now()))
    assert await made(ledger, job) == minutes(NOON + MINUTE, 10)


async def test_what_a_job_is_to_make_up_for_after_its_pause_is_not_backfilled(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create()
    await ledger.jobs.set_enabled("job", enabled=False, until=NOON + 3 * MINUTE)
    clock.step(10 * MINUTE)
    await ledger.backfills.create("job", over(NOON, clock.now()))
    assert await made(ledger, job) == minutes(NOON + MINUTE, 3)


async def test_what_is_due_and_not_claimed_yet_is_left_to_the_schedule(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create()
    clock.step(3 * MINUTE)
    backfill, _ = await ledger.backfills.create("job", over(NOON - 2 * MINUTE, clock.now()))
    assert (backfill.total, backfill.left_out, backfill.next_since) == (2, 0, None)
    assert await made(ledger, job) == [NOON - MINUTE, NOON]


async def _in_state(ledger: Ledger, run: UUID, state: str) -> None:
    await ledger.execute("UPDATE job_runs SET state = :state WHERE id = :id", state=state, id=_bound(ledger, run))


def _bound(ledger: Ledger, run: UUID) -> object:
    return run if ledger.database.dialect == "postgresql" else run.hex


@pytest.mark.parametrize("state", State)
async def test_an_occurrence_of_which_a_run_succeeded_or_is_under_way_is_not_run_again(
    ledger: Ledger, clock: FakeClock, state: State
) -> None:
    job = await ledger.create()
    clock.step(MINUTE)
    started = await ledger.running(clock.now(), job)
    await _in_state(ledger, started.call.run_id, state)
    needed = state not in {State.SUCCEEDED, State.PENDING, State.RUNNING, State.WAITING}
    backfill, _ = await ledger.backfills.create("job", over(NOON, NOON + MINUTE))
    assert backfill.total == needed
    again, _ = await ledger.backfills.create("job", over(NOON, NOON + MINUTE, only_missing=False))
    assert again.total == 1


async def test_what_was_repeated_or_backfilled_counts_as_well(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(policies=Policies(overlap=Overlap.ALLOW, retry=Retry(max_attempts=1)))
    clock.step(MINUTE)
    started = await ledger.running(clock.now(), job)
    await ledger.record(ended(started, error="status: 500"))
    clock.step(24 * HOUR)
    again = await ledger.runs.retry(started.call.run_id)
    assert (await ledger.backfills.create("job", over(NOON - MINUTE, NOON + MINUTE)))[0].total == 1
    await ledger.runs.cancel(again.id)
    assert (await ledger.backfills.create("job", over(NOON - MINUTE, NOON + MINUTE)))[0].total == 1
    assert (await ledger.backfills.create("job", over(NOON - MINUTE, NOON + MINUTE)))[0].total == 0


async def test_another_jobs_runs_do_not_count(ledger: Ledger, clock: FakeClock) -> None:
    other = await ledger.create("other")
    await ledger.create()
    clock.step(MINUTE)
    await ledger.record(ended(await ledger.running(clock.now(), other)))
    await ledger.patch("job", schedule="* * * * *", description="settled")
    await ledger.execute("DELETE FROM job_runs WHERE job_name = 'job'")
    assert (await ledger.backfills.create("job", over(NOON, NOON + MINUTE)))[0].total == 1


async def test_two_that_are_asked_for_at_once_make_each_run_once(ledger: Ledger, rival: Ledger) -> None:
    job = await ledger.create()
    wanted = over(NOON - HOUR, NOON)
    both = await asyncio.gather(ledger.backfills.create("job", wanted), rival.backfills.create("job", wanted))
    assert sorted(backfill.total for backfill, _ in both) == [0, 60]
    assert await made(ledger, job) == minutes(NOON - 59 * MINUTE, 60)


async def test_a_job_that_changes_meanwhile_is_looked_at_again(
    contended: Ledger, rival: Ledger, clock: FakeClock
) -> None:
    job = await contended.create()
    clock.step(SECOND)
    async with gate(contended.url, "SELECT FROM cron_jobs FOR UPDATE") as held:
        changing = asyncio.create_task(rival.patch("job", schedule="0 * * * *"))
        await held.until_waiting(1)
        asked = asyncio.create_task(contended.backfills.create("job", over(NOON - 2 * HOUR, NOON)))
        await held.until_waiting(2)
        await held.open()
        await changing
        backfill, _ = await asked
    assert backfill.job_version == 2
    assert await made(contended, job) == [NOON - HOUR, NOON]


async def test_a_request_that_can_not_be_met_says_which_field(ledger: Ledger, clock: FakeClock) -> None:
    await ledger.create()
    for since, until, field in (
        (NOON, NOON, "since"),
        (NOON, NOON - MINUTE, "since"),
        (NOON, clock.now() + SECOND, "until"),
    ):
        with pytest.raises(InvalidInput) as told:
            await ledger.backfills.create("job", over(since, until))
        assert told.value.field == field
    with pytest.raises(JobNotFound):
        await ledger.backfills.create("none", over(NOON - HOUR, NOON))


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        ({"schedule": "nonsense"}, "can't be scheduled"),
        ({"timezone": "Nowhere"}, "can't be scheduled"),
        ({"problem": "can't be read"}, "can't be scheduled"),
        ({"day_rule": "xor"}, "can't be scheduled"),
        ({"endpoint": None}, "no endpoint"),
        ({"schedule": "@manual"}, "never due"),
    ],
)
async def test_a_job_that_can_not_run_by_itself_is_refused(ledger: Ledger, damage: dict[str, Any], told: str) -> None:
    job = await ledger.create()
    await ledger.overwrite(job, **damage)
    with pytest.raises(Conflict, match=told):
        await ledger.backfills.create("job", over(NOON - HOUR, NOON))
    assert await ledger.table(job_runs) == []
