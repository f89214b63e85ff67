"""What each misfire policy leaves in the ledger, whether a claim or a change of the job settles it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from app.domain.clock import FakeClock
from app.domain.job import PersistedJob
from app.domain.misfire import FRESH_ROWS
from app.domain.policies import Misfire, MisfirePolicy, Overlap, Policies
from tests.db.building import (
    JUST,
    ME,
    MINUTE,
    NOON,
    SECOND,
    Ledger,
    every_instant_is_accounted_for,
    minutes,
    roomy,
    scheduled,
)

LATE = NOON + 10 * MINUTE + 30 * SECOND
LATEST, EARLIEST, ALL, SKIP = MisfirePolicy
Settling = Callable[[Ledger, PersistedJob], Awaitable[object]]


async def by_claim(ledger: Ledger, job: PersistedJob) -> None:
    await ledger.claim(await ledger.rows.time(), job, slots=None)


async def by_edit(ledger: Ledger, job: PersistedJob) -> None:
    await ledger.patch(job.name, description="new")


async def by_stop(ledger: Ledger, _job: PersistedJob) -> None:
    await ledger.switch.pause()


settled = pytest.mark.parametrize("settle", [by_claim, by_edit, by_stop])


async def late(ledger: Ledger, clock: FakeClock, settle: Settling, **misfire: Any) -> PersistedJob:
    """A job of each minute, ten and a half minutes after it was made."""
    job = await ledger.create(policies=Policies(misfire=Misfire(**misfire), overlap=Overlap.ALLOW))
    clock.step(LATE - NOON)
    await settle(ledger, job)
    await every_instant_is_accounted_for(ledger, job, minutes(NOON + MINUTE, 10))
    return job


async def fates(ledger: Ledger, job: PersistedJob) -> str:
    """A letter for each row: caught up, scheduled, or missed for want of a replica or for the window."""
    letters: dict[tuple[str, str | None], str] = {("catch_up", None): "c", ("schedule", None): "s"}
    letters |= {("schedule", "no replica"): "r", ("schedule", "window"): "w"}
    runs = await ledger.runs_of(job)
    assert all((run.state == "missed") is (run.reason is not None) for run in runs)
    return "".join(letters[run.trigger, run.reason] for run in runs)


@settled
@pytest.mark.parametrize(
    ("policy", "expected"),
    [(LATEST, "wwwrrrrrcs"), (EARLIEST, "wwwcrrrrrs"), (ALL, "wwwccccccs"), (SKIP, "wwwrrrrrrs")],
)
async def test_the_policy_says_which_run(
    ledger: Ledger, clock: FakeClock, settle: Settling, policy: MisfirePolicy, expected: str
) -> None:
    job = await late(ledger, clock, settle, policy=policy, window_seconds=420)
    assert await fates(ledger, job) == expected
    assert (await ledger.row_of(job)).runs_made == expected.count("c") + expected.count("s")


@settled
async def test_a_longer_grace_lets_more_run_as_they_are(ledger: Ledger, clock: FakeClock, settle: Settling) -> None:
    assert await fates(ledger, await late(ledger, clock, settle, grace_seconds=300)) == "rrrrcsssss"


@settled
@pytest.mark.parametrize("policy", [LATEST, EARLIEST, SKIP])
async def test_beyond_max_the_older_ones_are_a_span(
    ledger: Ledger, clock: FakeClock, settle: Settling, policy: MisfirePolicy
) -> None:
    job = await late(ledger, clock, settle, policy=policy, max=4, window_seconds=420)
    assert await fates(ledger, job) == {LATEST: "rrrcs", EARLIEST: "crrrs", SKIP: "rrrrs"}[policy]
    span = (await ledger.spans_of(job))[0]
    edges = NOON + MINUTE - JUST, NOON + 6 * MINUTE - JUST
    assert (span.after, span.until, span.count, span.reason, span.version) == (*edges, 5, "no replica", 1)


@settled
async def test_where_all_run_the_spans_say_what_fell_out_of_max_and_of_the_window(
    ledger: Ledger, clock: FakeClock, settle: Settling
) -> None:
    job = await late(ledger, clock, settle, policy=ALL, max=4, window_seconds=420)
    assert await fates(ledger, job) == "ccccs"
    spans = (await ledger.spans_of(job))[:2]
    assert [(span.count, span.reason) for span in spans] == [(3, "window"), (2, "max")]
    assert spans[0].until == spans[1].after


async def test_a_grace_of_hours_is_claimed_a_plan_at_a_time(ledger: Ledger, clock: FakeClock) -> None:
    misfire = Misfire(grace_seconds=7200)
    job = await ledger.create(schedule="* * * * * *", policies=Policies(misfire=misfire))
    clock.step(timedelta(seconds=2500))
    claimed = []
    while (await ledger.row_of(job)).next_run <= clock.now():
        await ledger.claims.claim(ME, [await ledger.candidate(job, clock.now())], roomy())
        claimed.append(len(await ledger.runs_of(job)))
    assert claimed == [FRESH_ROWS, 2 * FRESH_ROWS, 2500]
    assert scheduled(await ledger.runs_of(job)) == [NOON + SECOND * n for n in range(1, 2501)]


async def test_a_change_settles_all_that_is_due_within_a_grace_of_hours(ledger: Ledger, clock: FakeClock) -> None:
    misfire = Misfire(grace_seconds=7200)
    job = await ledger.create(schedule="* * * * * *", policies=Policies(misfire=misfire))
    clock.step(timedelta(seconds=2500))
    await ledger.patch("job", description="new")
    assert scheduled(await ledger.runs_of(job)) == [NOON + SECOND * n for n in range(1, 2501)]
    row = await ledger.row_of(job)
    assert (row.next_run, row.runs_made) == (clock.now() + SECOND, 2500)
