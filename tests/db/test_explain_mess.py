"""A mess of two replicas: overlap, pause, retries, an outage, another schedule, an excluded day, the clock put on."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from app.domain.clock import FakeClock
from app.domain.exclude import Days
from app.domain.explanation import Explanation
from app.domain.job import DstGap, PersistedJob
from app.domain.policies import Overlap, Policies
from app.domain.retry import Retry
from tests.db.building import ME, MINUTE, NOON, OTHER, SECOND, Ledger, ended
from tests.db.explaining import due, every, plain, sentence

LEASE = timedelta(seconds=30)
ME_AGAIN = UUID(int=0xC)
AWAY = "no replica was alive from 2027-03-01T12:08:00Z to 2027-03-01T12:18:30Z"
GRACE = "Missed: no replica claimed it within its grace of 60 s"
MISSED = f"{GRACE}; {AWAY}. It was not caught up: its misfire policy is latest."
TOLD = {
    "12:01": ("on_time", "Ran on time, 12 ms after it was due, and succeeded with status 200 after 1 s."),
    "12:02": ("on_time", "Ran on time, 0 ms after it was due, and succeeded with status 200 after 2 min 10 s."),
    "12:03": (
        "failed",
        (
            "Ran 1 min 10 s late, and failed after 3 attempts, the last with status: 500. It began late, since it"
            " waited behind run <12:02:00 schedule> (for 2027-03-01T12:02:00Z, active from 2027-03-01T12:02:00Z until"
            " 2027-03-01T12:04:10Z)."
        ),
    ),
    "12:04": ("skipped", "Skipped, as overlap is queue: one run waited already."),
    "12:05": (
        "pending",
        "Pending, to be called at once: a replica is alive, and may have no place for it, or be without the database.",
    ),
    "12:06": (
        "paused",
        "Not run: the job was paused from 2027-03-01T12:05:10Z to 2027-03-01T12:06:30Z: moving house.",
    ),
    "12:07": ("on_time", "Ran on time, 12 ms after it was due, and succeeded with status 200 after 1 s."),
    **{f"12:{minute:02}": ("missed", MISSED) for minute in range(8, 17)},
    "12:17": (
        "caught_up",
        (
            "Missed in its time, caught up 1 min 31 s later, and succeeded with status 200 after 1 s. It began late,"
            f" since {AWAY}, and what is caught up begins at a bounded rate."
        ),
    ),
    "12:18": (
        "late",
        f"Ran 30 s late, and succeeded with status 200 after 1 s. It began late, since {AWAY}.",
    ),
    "12:20": ("to_come", "To come: due in 1 min 29 s, by */5 * * * * in UTC."),
    "12:25": ("to_come", "To come: due in 6 min 29 s, by */5 * * * * in UTC."),
}


async def go_to(ledger: Ledger, clock: FakeClock, at: datetime) -> None:
    """With both replicas alive."""
    clock.step(at - clock.now())
    for replica in (ME, OTHER):
        await ledger.replicas.beat(replica)


async def minute(ledger: Ledger, clock: FakeClock, number: int) -> None:
    await go_to(ledger, clock, NOON + number * MINUTE)


async def overlap(ledger: Ledger, clock: FakeClock, job: PersistedJob) -> None:
    """The run of 12:02 takes two minutes: 12:03 waits behind it, and is called thrice; 12:04 is skipped."""
    await minute(ledger, clock, 2)
    [long] = (await ledger.claim(clock.now(), job)).started
    await minute(ledger, clock, 3)
    await ledger.claim(clock.now(), job, replica=OTHER)
    await minute(ledger, clock, 4)
    await ledger.claim(clock.now(), job)
    clock.step(10 * SECOND)
    await ledger.record(ended(long, took=130 * SECOND))
    waiting = (await ledger.starts.opened(10, [])).runs
    for _ in range(3):
        [attempt] = (await ledger.starts.start(OTHER, waiting)).begun
        await ledger.record(ended(attempt, error="status: 500"), replica=OTHER)
        clock.step(20 * SECOND)


async def outage(ledger: Ledger, clock: FakeClock, job: PersistedJob) -> None:
    """Both are killed at 12:08, and one comes back at 12:18:30."""
    await minute(ledger, clock, 8)
    clock.step(10 * MINUTE + 30 * SECOND)
    await ledger.replicas.join(ME_AGAIN, "one")
    await ledger.replicas.bury(LEASE)
    claims = await ledger.claim(clock.now(), job, replica=ME_AGAIN)
    await ledger.record(*[ended(run) for run in claims.started], replica=ME_AGAIN)
    clock.step(SECOND)
    for each in (await ledger.starts.opened(10, [])).runs:
        [caught_up] = (await ledger.starts.start(ME_AGAIN, [each])).begun
        await ledger.record(ended(caught_up), replica=ME_AGAIN)


async def test_each_instant_of_a_mess_is_told_rightly(ledger: Ledger, clock: FakeClock) -> None:
    retry = Retry(max_attempts=3, min_backoff_seconds=5, jitter=False)
    job = await ledger.create(policies=Policies(overlap=Overlap.QUEUE, retry=retry))
    await ledger.replicas.join(ME, "one")
    await ledger.replicas.join(OTHER, "two")
    await minute(ledger, clock, 1)
    await due(ledger, clock, job)
    await overlap(ledger, clock, job)
    await ledger.jobs.set_enabled("job", enabled=False, note="moving house")
    await minute(ledger, clock, 6)
    clock.step(30 * SECOND)
    await ledger.jobs.set_enabled("job", enabled=True)
    await minute(ledger, clock, 7)
    await due(ledger, clock, job)
    await outage(ledger, clock, job)
    await ledger.patch("job", schedule="*/5 * * * *")
    found = await every(ledger, job, NOON, NOON + 30 * MINUTE)
    assert {f"{one.at:%H:%M}": await plain(ledger, one) for one in found} == TOLD
    assert [one.version for one in found] == [1] * 5 + [2] + [3] * 12 + [4] * 2
    await beside_the_instants(ledger)


async def beside_the_instants(ledger: Ledger) -> None:
    """Before the job, between two instants, and where another schedule was due."""
    assert await sentence(ledger, "job", NOON - MINUTE) == (
        "not_created",
        (
            "Not due: the job did not exist yet. It was created at 2027-03-01T12:00:00Z, and was first due at"
            " 2027-03-01T12:01:00Z."
        ),
    )
    assert await sentence(ledger, "job", NOON + 90 * SECOND) == (
        "not_due",
        (
            "Not due under version 1 (* * * * *, UTC), in force since 2027-03-01T12:00:00Z. The nearest due instants"
            " are 2027-03-01T12:01:00Z before it, and 2027-03-01T12:02:00Z after it."
        ),
    )
    assert await sentence(ledger, "job", NOON + 19 * MINUTE) == (
        "not_due",
        (
            "Not due under version 4 (*/5 * * * *, UTC), in force since 2027-03-01T12:18:31Z. It was due under version"
            " 3 (* * * * *, UTC), which version 4 replaced at 2027-03-01T12:18:31Z. The nearest due instants are"
            " 2027-03-01T12:18:00Z before it, and 2027-03-01T12:20:00Z after it."
        ),
    )


async def test_an_excluded_day_and_a_change_of_the_clock_are_told(ledger: Ledger, clock: FakeClock) -> None:
    """Berlin, 28 March 2027: 02:00 is 03:00."""
    night = {"schedule": "30 2 * * *", "timezone": "Europe/Berlin"}
    policies = Policies(exclude=(Days(date(2027, 3, 27), date(2027, 3, 27)),))
    clock.step(datetime(2027, 3, 25, 12, tzinfo=UTC) - clock.now())
    jobs = [
        await ledger.create("after", policies=policies, **night),
        await ledger.create("skip", policies=policies, dst_gap=DstGap.SKIP, **night),
    ]
    await ledger.replicas.join(ME, "one")
    for hour in (datetime(2027, 3, 26, 1, 30), datetime(2027, 3, 27, 1, 30), datetime(2027, 3, 28, 1)):
        clock.step(hour.replace(tzinfo=UTC) - clock.now())
        await due(ledger, clock, *jobs)
    ran = "Ran on time, 12 ms after it was due, and succeeded with status 200 after 1 s."
    left_out = ("2027-03-27T02:30:00+01:00", "skipped", "Skipped: the job leaves it out by 2027-03-27.")
    start, end = datetime(2027, 3, 26, tzinfo=UTC), datetime(2027, 3, 29, tzinfo=UTC)
    after, skip = [[_local(one) for one in await every(ledger, job, start, end)] for job in jobs]
    assert after == [
        ("2027-03-26T02:30:00+01:00", "on_time", ran),
        left_out,
        (
            "2027-03-28T03:00:00+02:00",
            "on_time",
            f"{ran} The clock jumped over its local time, and it was due at the end of the gap.",
        ),
    ]
    assert skip == [
        after[0],
        left_out,
        (
            "2027-03-28T03:00:00+02:00",
            "skipped",
            "Skipped: the clock jumped over its local time, and dst_gap is skip.",
        ),
    ]


def _local(one: Explanation) -> tuple[str, str, str]:
    return one.local.isoformat(), one.finding.value, one.sentence
