"""What is told of instants that have a run, in each state."""

from __future__ import annotations

from datetime import timedelta

from app.db.tables import job_versions
from app.domain.backfill import BackfillRequest
from app.domain.clock import FakeClock
from app.domain.explanation import Finding
from app.domain.policies import Delivery, Misfire, MisfirePolicy, Overlap, Policies
from app.domain.retry import Retry
from app.service.explain import Asked
from tests.db.accepting import LATER, accept
from tests.db.building import ME, MINUTE, NOON, OTHER, SECOND, Ledger, cut_off, ended, queued, room_for
from tests.db.explaining import beat, due, made, sentence, told

DUE = NOON + MINUTE
LEASE = timedelta(seconds=30)


async def test_a_retry_is_told_with_its_error(ledger: Ledger, clock: FakeClock) -> None:
    job = await made(ledger, clock, Policies(retry=Retry(min_backoff_seconds=60, jitter=False)))
    await ledger.record(ended(await ledger.running(DUE, job), error="status: 500"))
    assert await sentence(ledger, job, DUE) == (
        "pending",
        (
            "Pending after one attempt, which ended with status: 500, and to be called at 2027-03-01T12:02:01Z, in 1"
            " min 1 s."
        ),
    )
    clock.step(2 * MINUTE)
    await beat(ledger)
    [again] = (await ledger.starts.start(ME, [queued(await ledger.run_of(job))])).begun
    await ledger.record(ended(again))
    assert await sentence(ledger, job, DUE) == (
        "on_time",
        "Ran on time, 0 ms after it was due, and succeeded with status 200 in attempt 2 after 2 min 1 s.",
    )


async def test_a_run_that_is_called_now(ledger: Ledger, clock: FakeClock) -> None:
    job = await made(ledger, clock)
    started = await ledger.running(DUE, job)
    running = (
        f"Running now since 2027-03-01T12:01:00Z, begun on time, 0 ms after it was due, in attempt 1, on replica {ME}."
    )
    assert await sentence(ledger, job, DUE) == ("running", running)
    await ledger.runs.cancel(started.call.run_id, "wrong data")
    assert await sentence(ledger, job, DUE) == (
        "running",
        f"{running} It is to be cut: canceled by hand: wrong data.",
    )


async def test_a_run_that_waits_for_its_callback(ledger: Ledger, clock: FakeClock) -> None:
    job = await made(ledger, clock, LATER)
    await accept(ledger, await ledger.running(DUE, job))
    assert await sentence(ledger, job, DUE) == (
        "waiting",
        (
            "Ran on time, 250 ms after it was due, was answered with 202, and waits for the target's callback until"
            " 2027-03-01T12:11:01Z."
        ),
    )


async def test_a_run_that_failed(ledger: Ledger, clock: FakeClock) -> None:
    job = await made(ledger, clock)
    await ledger.record(ended(await ledger.running(DUE, job), error="timeout: 30 s"))
    assert await sentence(ledger, job, DUE) == (
        "failed",
        "Ran on time, 0 ms after it was due, and failed after one attempt, timeout: 30 s.",
    )


async def test_a_run_that_never_began_before_its_deadline(ledger: Ledger, clock: FakeClock) -> None:
    job = await made(ledger, clock, Policies(deadline_seconds=30))
    await ledger.claim(DUE, job, slots=room_for(0))
    clock.step(MINUTE)
    await ledger.starts.expire()
    assert await sentence(ledger, job, DUE) == (
        "failed",
        (
            "Failed without a call: its deadline, 2027-03-01T12:01:30Z, had passed; all places for calls were taken on"
            " the replica that claimed it."
        ),
    )


async def test_a_run_that_is_lost(ledger: Ledger, clock: FakeClock) -> None:
    job = await made(ledger, clock, Policies(delivery=Delivery.AT_MOST_ONCE))
    await ledger.record(cut_off(await ledger.running(DUE, job)))
    assert await sentence(ledger, job, DUE) == (
        "lost",
        (
            "Ran on time, 0 ms after it was due, and is lost in attempt 1: cut off, and its delivery is at_most_once."
            " Nobody can say what became of the call."
        ),
    )


async def test_a_run_that_was_taken_over(ledger: Ledger, clock: FakeClock) -> None:
    job = await made(ledger, clock)
    await ledger.running(DUE, job)
    clock.step(LEASE + SECOND)
    await ledger.replicas.beat(OTHER)
    await ledger.replicas.bury(LEASE)
    [again] = (await ledger.starts.start(OTHER, [queued(await ledger.run_of(job))])).begun
    await ledger.record(ended(again), replica=OTHER)
    assert await sentence(ledger, job, DUE) == (
        "on_time",
        (
            "Ran on time, 0 ms after it was due, and succeeded with status 200 in attempt 2 after 32 s. It was taken"
            " over from a dead replica once."
        ),
    )


async def test_canceled_by_hand(ledger: Ledger, clock: FakeClock) -> None:
    job = await made(ledger, clock)
    await ledger.claim(DUE, job, slots=room_for(0))
    await ledger.runs.cancel((await ledger.run_of(job)).id, "not today")
    assert await sentence(ledger, job, DUE) == (
        "canceled",
        "Canceled at 2027-03-01T12:01:00Z, before it was called: by hand: not today.",
    )


async def test_canceled_by_the_delete_of_its_job(ledger: Ledger, clock: FakeClock) -> None:
    job = await made(ledger, clock)
    await ledger.claim(DUE, job, slots=room_for(0))
    clock.step(SECOND)
    await ledger.jobs.delete("job")
    assert await sentence(ledger, job.uid, DUE) == (
        "canceled",
        "Canceled at 2027-03-01T12:01:01Z, before it was called: the job was deleted.",
    )


async def test_canceled_by_a_newer_run(ledger: Ledger, clock: FakeClock) -> None:
    policies = Policies(overlap=Overlap.CANCEL_PREVIOUS, retry=Retry(min_backoff_seconds=3600))
    job = await made(ledger, clock, policies)
    await ledger.record(ended(await ledger.running(DUE, job), error="status: 500"))
    clock.step(MINUTE)
    await ledger.record(ended(await ledger.running(clock.now(), job)))
    assert await sentence(ledger, job, DUE) == (
        "canceled",
        (
            "Canceled at 2027-03-01T12:02:00Z, after one attempt: overlap is cancel_previous, and run <12:02:00"
            " schedule> (for 2027-03-01T12:02:00Z, active from 2027-03-01T12:02:00Z until 2027-03-01T12:02:01Z) took"
            " over."
        ),
    )


async def test_a_skipped_run_names_the_one_that_was_active(ledger: Ledger, clock: FakeClock) -> None:
    job = await made(ledger, clock)
    first = await ledger.running(DUE, job)
    clock.step(MINUTE)
    await ledger.claim(clock.now(), job)
    await ledger.record(ended(first, took=75 * SECOND))
    assert await sentence(ledger, job, DUE + MINUTE) == (
        "skipped",
        (
            "Skipped, as overlap is skip: run <12:01:00 schedule> (for 2027-03-01T12:01:00Z, active from"
            " 2027-03-01T12:01:00Z until 2027-03-01T12:02:15Z) was active."
        ),
    )


async def test_a_missed_run_tells_its_window(ledger: Ledger, clock: FakeClock) -> None:
    misfire = Misfire(policy=MisfirePolicy.ALL, window_seconds=180)
    job = await made(ledger, clock, Policies(misfire=misfire))
    clock.step(4 * MINUTE)
    await beat(ledger)
    await ledger.claim(clock.now(), job)
    assert await sentence(ledger, job, DUE) == (
        "missed",
        (
            "Missed: no replica claimed it within its grace of 60 s; one was alive, and may not have reached the"
            " database. It was not caught up: it was older than its misfire window of 180 s."
        ),
    )
    assert await sentence(ledger, job, DUE + MINUTE) == (
        "pending",
        "Pending, held up: what is caught up begins at a bounded rate. It was missed in its time and is caught up.",
    )


async def test_a_retry_by_hand_is_named(ledger: Ledger, clock: FakeClock) -> None:
    job = await made(ledger, clock)
    await ledger.record(ended(await ledger.running(DUE, job), error="status: 500"))
    clock.step(90 * SECOND)
    again = await ledger.runs.retry((await ledger.run_of(job)).id)
    one = await told(ledger, job, DUE)
    assert [run.id for run in one.by_hand] == [again.id]
    assert one.sentence.endswith(f" A person repeated it: run {again.id} (for 2027-03-01T12:01:00Z), pending.")
    assert one.finding is Finding.FAILED


async def test_a_run_that_called_a_newer_version_says_so(ledger: Ledger, clock: FakeClock) -> None:
    job = await made(ledger, clock)
    await ledger.claim(DUE, job, slots=room_for(0))
    await ledger.patch("job", description="new")
    [started] = (await ledger.starts.start(ME, [queued(await ledger.run_of(job))])).begun
    await ledger.record(ended(started))
    one = await told(ledger, job, DUE)
    assert one.version == 1
    assert one.sentence.endswith(" It called the job as it was by then, version 2.")


async def test_a_run_that_no_version_knows_of_is_told_all_the_same(ledger: Ledger, clock: FakeClock) -> None:
    """Made by a tz database that has been corrected since, say."""
    job = await made(ledger, clock)
    await due(ledger, clock, job)
    definition = (await ledger.versions_of(job))[0].definition | {"schedule": "30 * * * *"}
    async with ledger.database.begin() as connection:
        await connection.execute(job_versions.update().values(definition=definition))
    [one], _ = await ledger.history.explain("job", Asked(NOON, NOON + 2 * MINUTE), None, 10)
    assert (one.at, one.finding) == (DUE, Finding.ON_TIME)
    assert one.sentence.endswith(" The schedule, as it is read now, is not due at this instant.")


async def test_a_backfill_is_named(ledger: Ledger, clock: FakeClock) -> None:
    job = await made(ledger, clock)
    await ledger.record(ended(await ledger.running(DUE, job), error="status: 500"))
    clock.step(90 * SECOND)
    await ledger.backfills.create("job", BackfillRequest(since=NOON, until=DUE))
    one = await told(ledger, job, DUE)
    assert len(one.by_hand) == 1
    assert one.sentence.endswith(
        f" A person had it backfilled: run {one.by_hand[0].id} (for 2027-03-01T12:01:00Z), pending."
    )
