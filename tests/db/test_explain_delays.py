"""Why runs began late, or have not begun."""

from __future__ import annotations

from datetime import timedelta

from app.domain.clock import FakeClock
from app.domain.job import PersistedJob
from app.domain.misfire import PlannedRun
from app.domain.policies import Overlap, Policies
from app.domain.timing import due_at
from app.scheduler.slots import CallSlots
from app.service.limits import LimitService
from tests.db.building import ME, MINUTE, NOON, SECOND, Ledger, ended, queued, room_for
from tests.db.explaining import beat, due, made, sentence, told

DUE = NOON + MINUTE
LEASE = timedelta(seconds=30)
AFTER_10_S = "Ran 10 s late, and succeeded with status 200 after 1 s. It began late, since"


async def ten_seconds_later(ledger: Ledger, clock: FakeClock, job: PersistedJob) -> None:
    """The job's one run starts and succeeds."""
    clock.step(10 * SECOND)
    await beat(ledger)
    [started] = (await ledger.starts.start(ME, [queued(await ledger.run_of(job))])).begun
    await ledger.record(ended(started))


async def test_a_run_that_no_cause_is_known_of(ledger: Ledger, clock: FakeClock) -> None:
    job = await made(ledger, clock)
    clock.step(10 * SECOND)
    await beat(ledger)
    await due(ledger, clock, job, late=timedelta(0))
    assert await sentence(ledger, job, DUE) == (
        "late",
        f"{AFTER_10_S} the ledger has no cause: a replica was alive, and may have been busy or without the database.",
    )


async def test_a_run_that_found_no_place_on_its_replica(ledger: Ledger, clock: FakeClock) -> None:
    job = await made(ledger, clock)
    await ledger.claim(DUE, job, slots=room_for(0))
    assert await sentence(ledger, job, DUE) == (
        "pending",
        "Pending, to be called at once: all places for calls were taken on the replica that claimed it.",
    )
    await ten_seconds_later(ledger, clock, job)
    assert await sentence(ledger, job, DUE) == (
        "late",
        f"{AFTER_10_S} all places for calls were taken on the replica that claimed it.",
    )


async def test_a_run_that_found_no_place_for_its_host(ledger: Ledger, clock: FakeClock) -> None:
    job = await made(ledger, clock)
    await ledger.claim(DUE, job, slots=CallSlots(10, 0, lambda: None))
    await ten_seconds_later(ledger, clock, job)
    assert await sentence(ledger, job, DUE) == (
        "late",
        f"{AFTER_10_S} all places for calls to one.example:80 were taken on the replica that claimed it.",
    )


async def test_a_run_that_waited_for_a_limit(ledger: Ledger, clock: FakeClock) -> None:
    job = await made(ledger, clock, Policies(concurrency_key="reports"))
    limits = LimitService(ledger.database)
    await limits.put("reports", 0, None)
    await ledger.claim(DUE, job)
    await ledger.starts.start(ME, [queued(await ledger.run_of(job))])
    assert await sentence(ledger, job, DUE) == ("pending", "Pending, held up: the limit reports had no room.")
    await limits.put("reports", 1, None)
    await ten_seconds_later(ledger, clock, job)
    assert await sentence(ledger, job, DUE) == ("late", f"{AFTER_10_S} the limit reports had no room.")


async def test_a_run_that_waits_behind_one_by_hand(ledger: Ledger, clock: FakeClock) -> None:
    job = await made(ledger, clock, Policies(overlap=Overlap.QUEUE))
    by_hand = await ledger.runs.trigger("job")
    await ledger.starts.start(ME, [queued(by_hand)])
    await ledger.claim(DUE, job)
    verdict, text = await sentence(ledger, job, DUE)
    assert verdict == "pending"
    assert text == (
        "Pending, held up: it waited behind run <12:01:00 manual> (for 2027-03-01T12:01:00Z, active from"
        " 2027-03-01T12:01:00Z). A person started the job at this instant: run <12:01:00 manual> (for"
        " 2027-03-01T12:01:00Z, active from 2027-03-01T12:01:00Z), running."
    )
    assert (await told(ledger, job, DUE)).by_hand[0].id == by_hand.id


async def test_jitter_is_no_delay(ledger: Ledger, clock: FakeClock) -> None:
    job = await made(ledger, clock, Policies(jitter_seconds=50))
    wait = due_at(PlannedRun(DUE), job.uid, job.policies) - DUE
    await ledger.claim(DUE, job)
    verdict, text = await sentence(ledger, job, DUE)
    at = f"{DUE + wait:%Y-%m-%dT%H:%M:%SZ}"
    assert verdict == "pending"
    assert text.startswith(f"Pending, to be called at {at}, in ")
    assert " Its jitter is " in text
    clock.step(wait)
    await beat(ledger)
    [started] = (await ledger.starts.start(ME, [queued(await ledger.run_of(job))])).begun
    await ledger.record(ended(started))
    verdict, text = await sentence(ledger, job, DUE)
    assert verdict == "on_time"
    assert " after its instant, of which " in text
    assert text.endswith(" are its jitter, and succeeded with status 200 after 1 s.")
