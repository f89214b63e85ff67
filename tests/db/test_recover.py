"""After a restore: what may have been called since the backup is missed, and the jobs go on after it."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from app.db.tables import cron_jobs
from app.domain.attempt import Ending
from app.domain.backfill import BackfillRequest
from app.domain.clock import FakeClock
from app.domain.errors import Conflict, InvalidInput
from app.domain.exclude import Days
from app.domain.explanation import Finding
from app.domain.policies import Misfire, Policies
from app.domain.run import State, Trigger
from app.service import recover as module
from app.service.recover import Recovered, recover
from tests.db.building import ME, MINUTE, NOON, ONCE, SECOND, Ledger, minutes, scheduled, states
from tests.db.explaining import sentence, told

LEASE = 30 * SECOND
RESTORED = "restored"


async def recovered(ledger: Ledger, clock: FakeClock, after: timedelta) -> Recovered:
    """What was called until just now, `after` the backup."""
    clock.step(after)
    return await recover(ledger.database, clock.now(), LEASE)


def fates(runs: list[Any]) -> list[tuple[str, str | None]]:
    return [(run.state, run.reason) for run in runs]


async def test_what_was_due_is_missed_and_the_job_goes_on_after_it(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create()
    done = await recovered(ledger, clock, 5 * MINUTE)
    assert done == Recovered(jobs=1, rows=5)
    runs = await ledger.runs_of(job)
    assert scheduled(runs) == minutes(NOON + MINUTE, 5)
    assert fates(runs) == [("missed", RESTORED)] * 5
    row = await ledger.row_of(job)
    assert (row.next_run, row.completed, row.runs_made, row.version) == (NOON + 6 * MINUTE, False, 0, 1)


async def test_what_came_after_the_instant_is_left_to_the_policies(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create()
    clock.step(5 * MINUTE)
    await recover(ledger.database, NOON + 2 * MINUTE, LEASE)
    assert scheduled(await ledger.runs_of(job)) == minutes(NOON + MINUTE, 2)
    assert (await ledger.row_of(job)).next_run == NOON + 3 * MINUTE
    await ledger.claim(clock.now(), job)
    assert states(await ledger.runs_of(job))[2:] == ["pending", "running", "skipped"]


async def test_twice_does_no_harm(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create()
    await recovered(ledger, clock, 5 * MINUTE)
    before = await ledger.runs_of(job)
    assert await recover(ledger.database, clock.now(), LEASE) == Recovered()
    assert await ledger.runs_of(job) == before


async def test_a_long_stretch_has_rows_for_the_newest_and_a_span_for_the_rest(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(policies=Policies(misfire=Misfire(max=10)))
    assert await recovered(ledger, clock, 60 * MINUTE) == Recovered(jobs=1, rows=11, in_spans=49)
    assert scheduled(await ledger.runs_of(job)) == minutes(NOON + 50 * MINUTE, 11)
    [span] = await ledger.spans_of(job)
    assert (span.count, span.reason, span.after, span.until is not None) == (
        49,
        RESTORED,
        NOON + MINUTE - timedelta(microseconds=1),
        True,
    )
    assert (await told(ledger, job, NOON + 20 * MINUTE)).finding is Finding.MISSED


async def test_runs_under_way_end_as_what_is_known_of_them(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(policies=ONCE)
    begun = await ledger.create("begun")
    clock.step(MINUTE)
    await ledger.running(clock.now(), begun)
    await ledger.runs.trigger("job")
    made, _ = await ledger.backfills.create("job", BackfillRequest(since=NOON - 3 * MINUTE, until=NOON))
    done = await recovered(ledger, clock, timedelta(0))
    assert done == Recovered(jobs=1, rows=1, never_called=4, lost=1)
    assert {(run.trigger, run.state, run.reason) for run in await ledger.runs_of(job)} == {
        (Trigger.SCHEDULE, State.MISSED, RESTORED),
        (Trigger.MANUAL, State.MISSED, RESTORED),
        (Trigger.BACKFILL, State.MISSED, RESTORED),
    }
    assert fates(await ledger.runs_of(begun)) == [("lost", RESTORED)]
    assert (await ledger.backfills.get(made.id))[1].unfinished == 0
    again, _ = await ledger.backfills.create("job", BackfillRequest(since=NOON - 3 * MINUTE, until=NOON))
    assert again.total == 3


@pytest.mark.parametrize("state", ["waiting", "pending"])
async def test_a_run_that_had_been_called_is_lost(ledger: Ledger, clock: FakeClock, state: str) -> None:
    job = await ledger.create()
    clock.step(MINUTE)
    await ledger.running(clock.now(), job)
    await ledger.execute(f"UPDATE job_runs SET state = '{state}', owner = NULL")  # noqa: S608  # a state
    await recovered(ledger, clock, SECOND)
    assert fates(await ledger.runs_of(job)) == [("lost", RESTORED)]


async def test_the_call_that_was_under_way_is_lost_with_its_run(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create()
    clock.step(MINUTE)
    started = await ledger.running(clock.now(), job)
    await recovered(ledger, clock, SECOND)
    [call] = await ledger.runs.attempts(started.call.run_id, None, 10)
    assert (call.outcome, call.attempt, call.fence, call.replica) == (Ending.LOST, 1, 1, ME)
    assert (call.began_at, call.ended_at) == (NOON + MINUTE, clock.now())


async def test_runs_after_the_instant_go_on(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create()
    clock.step(MINUTE)
    await ledger.running(clock.now(), job)
    await recover(ledger.database, clock.now() - SECOND, LEASE)
    assert states(await ledger.runs_of(job)) == ["running"]


async def test_what_may_have_been_called_counts_against_max_runs(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(policies=Policies(max_runs=3))
    more = await ledger.create("more", policies=Policies(max_runs=30))
    await recovered(ledger, clock, 5 * MINUTE)
    row = await ledger.row_of(job)
    assert (row.next_run, row.completed, row.runs_made) == (None, True, 3)
    assert scheduled(await ledger.runs_of(job)) == minutes(NOON + MINUTE, 3)
    assert (await ledger.row_of(more)).runs_made == 5
    assert (await told(ledger, job, NOON + 3 * MINUTE)).finding is Finding.MISSED
    assert (await told(ledger, job, NOON + 4 * MINUTE)).finding is Finding.ENDED


async def test_what_was_to_be_left_out_is_skipped_and_counts_for_nothing(ledger: Ledger, clock: FakeClock) -> None:
    out = Days(date(2027, 3, 2), date(2027, 3, 2))
    job = await ledger.create(schedule="0 9 * * *", policies=Policies(exclude=(out,), max_runs=2))
    await recovered(ledger, clock, timedelta(days=3))
    assert [run.state for run in await ledger.runs_of(job)] == ["skipped", "missed", "missed"]
    assert (await ledger.row_of(job)).completed is True


async def test_a_job_for_one_instant_is_completed(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(schedule="@at 2027-03-01T12:03:00Z")
    await recovered(ledger, clock, 5 * MINUTE)
    row = await ledger.row_of(job)
    assert (row.next_run, row.completed) == (None, True)
    assert fates(await ledger.runs_of(job)) == [("missed", RESTORED)]


async def test_a_pause_goes_on_and_one_that_was_over_has_ended(ledger: Ledger, clock: FakeClock) -> None:
    paused, over = await ledger.create("paused"), await ledger.create("over")
    await ledger.jobs.set_enabled("paused", enabled=False)
    await ledger.jobs.set_enabled("over", enabled=False, until=NOON + 3 * MINUTE)
    await recovered(ledger, clock, 5 * MINUTE)
    assert await ledger.runs_of(paused) == []
    assert [span.until for span in await ledger.spans_of(paused)] == [None]
    assert [span.until for span in await ledger.spans_of(over)] == [NOON + 3 * MINUTE]
    assert scheduled(await ledger.runs_of(over)) == minutes(NOON + 4 * MINUTE, 2)
    assert fates(await ledger.runs_of(over)) == [("missed", RESTORED)] * 2


async def test_nothing_is_done_while_a_replica_is_alive(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create()
    await ledger.replicas.join(ME, "one.example")
    with pytest.raises(Conflict, match=f"A replica is alive: {ME} on one.example") as refused:
        await recovered(ledger, clock, 20 * SECOND)
    assert "30 s" in str(refused.value.remedy)
    await ledger.replicas.leave(ME)
    await recovered(ledger, clock, MINUTE)
    assert len(await ledger.runs_of(job)) == 1


async def test_a_replica_that_is_not_heard_of_for_a_lease_is_not_alive(ledger: Ledger, clock: FakeClock) -> None:
    await ledger.create()
    await ledger.replicas.join(ME, "one.example")
    assert (await recovered(ledger, clock, MINUTE)).rows == 1


async def test_an_instant_to_come_is_refused(ledger: Ledger) -> None:
    with pytest.raises(InvalidInput, match="it is 2027-03-01T12:00:00Z by the database's clock") as refused:
        await recover(ledger.database, NOON + SECOND, LEASE)
    assert refused.value.field == "not_before"


async def test_jobs_by_the_page(ledger: Ledger, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BATCH", 2)
    await ledger.populate(5)
    broken = await ledger.create("broken")
    await ledger.overwrite(broken, dst_gap="later")
    assert await recovered(ledger, clock, 2 * MINUTE) == Recovered(jobs=5, rows=10, unreadable=1)
    assert await ledger.runs_of(broken) == []
    waiting = {row.next_run for row in await ledger.table(cron_jobs) if row.id != broken.id}
    assert waiting == {NOON + 3 * MINUTE}


async def test_the_ledger_says_why(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create()
    clock.step(MINUTE)
    await ledger.running(clock.now(), job)
    await recovered(ledger, clock, MINUTE)
    assert await sentence(ledger, job, NOON + 2 * MINUTE) == (
        "missed",
        (
            "Missed: the ledger was restored from a backup, and what was due before it was taken up again is not run."
            " It may have been called before."
        ),
    )
    assert await sentence(ledger, job, NOON + MINUTE) == (
        "lost",
        (
            "Ran on time, 0 ms after it was due, and is lost in attempt 1: the ledger was restored from a backup of"
            " that time. Nobody can say what became of the run."
        ),
    )
