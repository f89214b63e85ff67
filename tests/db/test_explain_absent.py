"""What is told of instants that have no run: spans, what was never due, what is to come, and what is missing."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from app.domain.clock import FakeClock
from app.domain.errors import JobNotFound
from app.domain.exclude import Days
from app.domain.explanation import Finding
from app.domain.job import DstOverlap
from app.domain.policies import Misfire, MisfirePolicy, Policies
from app.service.explain import Asked
from tests.db.building import JUST, ME, MINUTE, NOON, OTHER, SECOND, Ledger
from tests.db.explaining import due, every, sentence, told

DUE = NOON + MINUTE
LEASE = timedelta(seconds=30)


async def run_at(ledger: Ledger, clock: FakeClock, at: datetime, job: Any) -> None:
    clock.step(at - clock.now())
    await due(ledger, clock, job, late=timedelta(0))


async def test_the_time_of_a_pause_that_goes_on(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create()
    await ledger.jobs.set_enabled("job", enabled=False, note="broken", until=NOON + 3 * MINUTE)
    clock.step(MINUTE + SECOND)
    assert await sentence(ledger, job, DUE) == (
        "paused",
        "Not run: the job is paused since 2027-03-01T12:00:00Z: broken.",
    )
    assert await sentence(ledger, job, DUE + MINUTE) == (
        "to_come",
        (
            "To come: due in 59 s, by * * * * * in UTC. The job is paused since 2027-03-01T12:00:00Z: it is not run"
            " unless that ends before."
        ),
    )
    assert await sentence(ledger, job, DUE + 3 * MINUTE) == (
        "to_come",
        "To come: due in 2 min 59 s, by * * * * * in UTC. The job is paused, and goes on at 2027-03-01T12:03:00Z.",
    )
    one = await told(ledger, job, DUE)
    assert one.span is not None
    assert one.span.note == "broken"


async def test_the_time_of_the_stop_switch(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create()
    await ledger.switch.pause()
    clock.step(90 * SECOND)
    assert await sentence(ledger, job, DUE) == (
        "stopped",
        "Not run: the scheduler is stopped by its switch since 2027-03-01T12:00:00Z.",
    )
    assert (await told(ledger, job, DUE + MINUTE)).sentence.endswith(
        "The scheduler is stopped by its switch since 2027-03-01T12:00:00Z: it is not run unless that ends before."
    )
    await ledger.switch.resume()
    assert await sentence(ledger, job, DUE) == (
        "stopped",
        "Not run: the scheduler was stopped by its switch from 2027-03-01T12:00:00Z to 2027-03-01T12:01:30Z.",
    )


@pytest.mark.parametrize(
    ("policy", "why"),
    [
        (MisfirePolicy.LATEST, "its misfire policy is latest"),
        (MisfirePolicy.ALL, "it was none of the newest 2 that are caught up"),
    ],
)
async def test_a_span_in_which_nobody_was_alive(
    ledger: Ledger, clock: FakeClock, policy: MisfirePolicy, why: str
) -> None:
    job = await ledger.create(policies=Policies(misfire=Misfire(policy=policy, max=2)))
    await ledger.replicas.join(ME, "here")
    await ledger.replicas.leave(ME)
    clock.step(10 * MINUTE + SECOND)
    await ledger.replicas.join(OTHER, "here")
    await ledger.claim(clock.now(), job)
    assert await sentence(ledger, job, DUE) == (
        "missed",
        (
            "Missed: no replica claimed it within its grace of 60 s; no replica was alive from 2027-03-01T12:00:00Z to"
            f" 2027-03-01T12:10:01Z. It was not caught up: {why}. It is one of 7 instants of a span."
        ),
    )


async def test_a_job_that_can_not_be_scheduled(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create()
    await ledger.overwrite(job, dst_gap="early")
    await ledger.rows.enabled_page(0, 10)
    clock.step(2 * MINUTE)
    verdict, text = await sentence(ledger, job, DUE)
    assert verdict == "unschedulable"
    assert text.startswith("Not run: the job could not be scheduled since 2027-03-01T12:00:59Z: dst_gap can't be read")


async def test_a_version_that_can_not_be_read(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create()
    await ledger.execute('UPDATE job_versions SET definition = \'{"schedule": "every day"}\'')
    clock.step(2 * MINUTE)
    assert await sentence(ledger, job, DUE) == (
        "unschedulable",
        "Nobody can say: the definition of version 1 (every day) can't be read by this program.",
    )
    await ledger.execute('UPDATE job_versions SET definition = \'{"schedule": "* * * * *", "day_rule": "xor"}\'')
    verdict, text = await sentence(ledger, job, DUE)
    assert verdict == "unschedulable"
    assert "day_rule can't be read" in text


async def test_what_is_due_and_not_claimed_yet(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create()
    await ledger.replicas.join(ME, "here")
    clock.step(MINUTE + 2 * SECOND)
    await ledger.replicas.beat(ME)
    assert await sentence(ledger, job, DUE) == (
        "unclaimed",
        "Due 2 s ago, and not claimed yet: a replica is alive, and claims it in a moment.",
    )
    clock.step(3 * MINUTE)
    assert await sentence(ledger, job, DUE) == (
        "unclaimed",
        "Due 3 min 2 s ago, and not claimed yet: no replica is alive since 2027-03-01T12:01:02Z.",
    )
    await ledger.replicas.beat(ME)
    assert await sentence(ledger, job, DUE) == (
        "unclaimed",
        (
            "Due 3 min 2 s ago, and not claimed yet, though a replica is alive: it is a misfire by now, and its policy,"
            " latest, will decide."
        ),
    )


async def test_a_row_that_was_removed_is_missing(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create()
    await run_at(ledger, clock, DUE, job)
    await run_at(ledger, clock, DUE + MINUTE, job)
    await ledger.execute("DELETE FROM job_runs")
    found = await every(ledger, job, NOON, NOON + 3 * MINUTE)
    assert [(one.at, one.finding) for one in found] == [
        (DUE, Finding.UNACCOUNTED),
        (DUE + MINUTE, Finding.UNACCOUNTED),
    ]
    assert found[0].sentence == (
        "Unaccounted for: version 1 (* * * * *, UTC) was due, and the ledger has neither a run nor a span for it."
        " A row was removed, or something is wrong with the ledger."
    )


async def test_what_is_older_than_any_run_is_forgotten(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(schedule="0 13 * * *")
    await run_at(ledger, clock, NOON + timedelta(hours=1), job)
    await ledger.execute("DELETE FROM job_runs")
    clock.step(timedelta(days=31))
    assert await sentence(ledger, job, NOON + timedelta(hours=1)) == (
        "forgotten",
        "Aged out: version 1 (0 13 * * *, UTC) was due, and runs are kept since 2027-03-02T13:00:01Z.",
    )


async def test_what_is_to_come_and_what_will_be_left_out(ledger: Ledger) -> None:
    out = Days(date(2027, 3, 3), date(2027, 3, 3))
    job = await ledger.create(schedule="0 9 * * *", policies=Policies(exclude=(out,), max_runs=5))
    assert await sentence(ledger, job, datetime(2027, 3, 2, 9, tzinfo=UTC)) == (
        "to_come",
        "To come: due in 21 h, by 0 9 * * * in UTC. The job has made 0 of the 5 runs that max_runs allows.",
    )
    assert await sentence(ledger, job, datetime(2027, 3, 3, 9, tzinfo=UTC)) == (
        "to_come",
        (
            "To come: due in 1 d 21 h, by 0 9 * * * in UTC. It will be skipped: the job leaves it out by 2027-03-03."
            " The job has made 0 of the 5 runs that max_runs allows."
        ),
    )


async def test_after_its_last_run_a_job_is_due_no_more(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(policies=Policies(max_runs=2))
    await ledger.replicas.join(ME, "here")
    for minute in (1, 2):
        await run_at(ledger, clock, NOON + minute * MINUTE, job)
    clock.step(2 * MINUTE)
    ended = "Not due: the job had made the 2 runs that max_runs allows, and was completed."
    found = await every(ledger, job, NOON, NOON + 6 * MINUTE)
    assert [one.finding.value for one in found] == ["on_time"] * 2 + ["ended"] * 3
    assert {one.sentence for one in found[2:]} == {ended}
    await ledger.jobs.delete("job")
    assert [one.finding.value for one in await every(ledger, job.uid, NOON, NOON + 4 * MINUTE)] == [
        *["on_time"] * 2,
        "ended",
    ]


async def test_before_starts_at_and_after_ends_at(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(starts_at=NOON + 5 * MINUTE, ends_at=NOON + 6 * MINUTE)
    clock.step(8 * MINUTE)
    assert await sentence(ledger, job, NOON + 4 * MINUTE) == (
        "not_due",
        (
            "Not due: the job is due from 2027-03-01T12:05:00Z on, its starts_at. The first due instant after it is"
            " 2027-03-01T12:05:00Z, and there is none before it."
        ),
    )
    assert await sentence(ledger, job, NOON + 7 * MINUTE) == (
        "ended",
        (
            "Not due: the job ended at 2027-03-01T12:06:00Z, its ends_at. The last due instant before it is"
            " 2027-03-01T12:06:00Z, and there is none after it."
        ),
    )


async def test_after_the_delete(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create()
    await run_at(ledger, clock, DUE, job)
    clock.step(9 * SECOND)
    await ledger.jobs.delete("job")
    assert await sentence(ledger, job.uid, DUE + MINUTE) == (
        "deleted",
        "Not due: the job was deleted at 2027-03-01T12:01:10Z. It was last due at 2027-03-01T12:01:00Z.",
    )
    assert (await told(ledger, job.uid, DUE)).finding is Finding.ON_TIME
    with pytest.raises(JobNotFound):
        await ledger.history.explain("job", Asked(DUE), None, 10)
    with pytest.raises(JobNotFound):
        await ledger.history.explain(UUID(int=1), Asked(DUE), None, 10)


async def test_a_job_that_is_never_due_by_itself(ledger: Ledger) -> None:
    job = await ledger.create(schedule="@manual")
    by_hand = await ledger.runs.trigger("job")
    verdict, text = await sentence(ledger, job, by_hand.scheduled_for + JUST)
    assert (verdict, text) == (
        "not_due",
        "Not due under version 1 (@manual, UTC), in force since 2027-03-01T12:00:00Z. It is never due by itself.",
    )


async def test_a_version_that_came_too_late(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(schedule="0 13 * * *")
    clock.step(5 * MINUTE)
    await ledger.patch("job", description="the same schedule")
    await ledger.patch("job", schedule="*/2 * * * *")
    assert (await told(ledger, job, NOON + 4 * MINUTE)).sentence == (
        "Not due under version 1 (0 13 * * *, UTC), in force since 2027-03-01T12:00:00Z. It would be due under version"
        " 3 (*/2 * * * *, UTC), in force only since 2027-03-01T12:05:00Z. The first due instant after it is"
        " 2027-03-01T12:06:00Z, and there is none before it."
    )


async def test_a_local_time_that_comes_twice(ledger: Ledger, clock: FakeClock) -> None:
    """Berlin, 31 October 2027: 03:00 is 02:00."""
    clock.step(datetime(2027, 10, 30, 12, tzinfo=UTC) - clock.now())
    job = await ledger.create(schedule="30 2 * * *", timezone="Europe/Berlin", dst_overlap=DstOverlap.LAST)
    clock.step(timedelta(days=1))
    one = await told(ledger, job, datetime(2027, 10, 31, 0, 30, tzinfo=UTC))
    assert one.local.isoformat() == "2027-10-31T02:30:00+02:00"
    assert "Its local time comes twice that day, and dst_overlap is last." in one.sentence
    assert (await told(ledger, job, datetime(2027, 10, 31, 1, 30, tzinfo=UTC))).finding is Finding.UNCLAIMED


async def test_a_range_in_which_nothing_is_due_says_so(ledger: Ledger, clock: FakeClock) -> None:
    await ledger.create()
    clock.step(MINUTE)
    [one], more = await ledger.history.explain("job", Asked(NOON + SECOND, NOON + 9 * SECOND), None, 10)
    assert not more
    assert one.at == NOON + SECOND
    assert one.sentence.startswith(
        "Nothing is due in what was asked for. At its beginning: Not due under version 1 (* * * * *, UTC)"
    )
    assert await ledger.history.explain("job", Asked(NOON, NOON + 9 * SECOND), NOON + 5 * SECOND, 10) == ([], False)


async def test_a_range_holds_its_first_instant_and_not_its_last(ledger: Ledger) -> None:
    job = await ledger.create()
    found = await every(ledger, job, DUE, DUE + 20 * MINUTE)
    assert [one.at for one in found] == [DUE + minute * MINUTE for minute in range(20)]
