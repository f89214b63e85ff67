"""Zones whose clocks change in 2027, by each of `dst_gap` and `dst_overlap`: what is claimed, and what is told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.domain.clock import FakeClock
from app.domain.job import DstGap, DstOverlap, PersistedJob
from app.domain.misfire import DST
from app.service import recompute as recompute_module
from app.service.recompute import recompute
from tests.db.building import ME, Ledger, every_instant_is_accounted_for, roomy

BERLIN, LORD_HOWE = "Europe/Berlin", "Australia/Lord_Howe"
DAY = timedelta(days=1)


def instant(text: str) -> datetime:
    return datetime.fromisoformat(f"2027-{text}:00+00:00").astimezone(UTC)


async def created(
    ledger: Ledger, clock: FakeClock, at: datetime, schedule: str, zone: str, **more: Any
) -> PersistedJob:
    clock.step(at - clock.now())
    return await ledger.create(schedule=schedule, timezone=zone, **more)


async def pass_days(ledger: Ledger, clock: FakeClock, job: PersistedJob, days: int) -> list[tuple[datetime, str]]:
    """Claim on time, and say what became of each instant."""
    until = clock.now() + days * DAY
    while (following := (await ledger.row_of(job)).next_run) <= until:
        clock.step(following - clock.now())
        await ledger.claims.claim(ME, [await ledger.candidate(job, clock.now())], roomy())
        await ledger.execute("UPDATE job_runs SET state = 'succeeded' WHERE state = 'running'")
    return [(run.scheduled_for, run.reason or run.state) for run in await ledger.runs_of(job)]


GAPS = [
    # schedule, zone, made at, the ends of the gap and of what is due beside it
    ("30 2 * * *", BERLIN, "03-26T12:00", ["03-27T01:30", "03-28T01:00", "03-29T00:30"]),
    ("10,50 2 * * *", BERLIN, "03-27T12:00", ["03-28T01:00", "03-29T00:10", "03-29T00:50"]),
    ("15 2 * * *", LORD_HOWE, "10-01T20:00", ["10-02T15:30", "10-03T15:15", "10-04T15:15"]),
]


@pytest.mark.parametrize(("schedule", "zone", "made", "due"), GAPS)
@pytest.mark.parametrize("gap", list(DstGap))
async def test_a_time_in_a_gap_runs_at_its_end_or_is_told_as_skipped(
    ledger: Ledger, clock: FakeClock, *, schedule: str, zone: str, made: str, due: list[str], gap: DstGap
) -> None:
    job = await created(ledger, clock, instant(made), schedule, zone, dst_gap=gap)
    jumped = {"03-28T01:00", "10-02T15:30"} if gap is DstGap.SKIP else set()
    found = await pass_days(ledger, clock, job, 3)
    assert found[: len(due)] == [(instant(at), DST if at in jumped else "succeeded") for at in due]
    row = await ledger.row_of(job)
    assert row.runs_made == sum(fate == "succeeded" for _, fate in found)
    assert row.last_run is None


@pytest.mark.parametrize("gap", list(DstGap))
async def test_what_runs_at_every_matching_time_has_nothing_in_a_gap(
    ledger: Ledger, clock: FakeClock, gap: DstGap
) -> None:
    job = await created(ledger, clock, instant("03-28T00:05"), "30 * * * *", BERLIN, dst_gap=gap)
    found = await pass_days(ledger, clock, job, 0) + await pass_days(ledger, clock, job, 1)
    assert found[:3] == [(instant(at), "succeeded") for at in ("03-28T00:30", "03-28T01:30", "03-28T02:30")]


FOLDS = [
    (BERLIN, "30 2 * * *", "10-30T12:00", "10-31T00:30", "10-31T01:30", "11-01T01:30"),
    (LORD_HOWE, "45 1 * * *", "04-03T12:00", "04-03T14:45", "04-03T15:15", "04-04T15:15"),
]


@pytest.mark.parametrize(("zone", "schedule", "made", "first", "last", "after"), FOLDS)
@pytest.mark.parametrize("overlap", list(DstOverlap))
async def test_a_time_that_comes_twice_runs_as_often_as_the_job_says(
    ledger: Ledger,
    clock: FakeClock,
    *,
    zone: str,
    schedule: str,
    made: str,
    first: str,
    last: str,
    after: str,
    overlap: DstOverlap,
) -> None:
    job = await created(ledger, clock, instant(made), schedule, zone, dst_overlap=overlap)
    passes = {DstOverlap.FIRST: [first], DstOverlap.LAST: [last], DstOverlap.BOTH: [first, last]}[overlap]
    due = [instant(at) for at in [*passes, after]]
    assert (await ledger.jobs.next_times("job", len(due)))[1] == due
    assert await pass_days(ledger, clock, job, 2) == [(at, "succeeded") for at in due]


async def test_next_times_leave_out_what_is_skipped(ledger: Ledger, clock: FakeClock) -> None:
    job = await created(ledger, clock, instant("03-27T12:00"), "30 2 * * *", BERLIN, dst_gap=DstGap.SKIP)
    assert (await ledger.jobs.next_times("job", 2))[1] == [instant("03-29T00:30"), instant("03-30T00:30")]
    assert (await ledger.row_of(job)).next_run == instant("03-28T01:00")


@pytest.mark.parametrize("change", ["edit", "resume", "switch on"])
async def test_a_job_that_changed_before_a_gap_still_waits_for_its_end(
    ledger: Ledger, clock: FakeClock, change: str
) -> None:
    job = await created(ledger, clock, instant("03-27T12:00"), "30 2 * * *", BERLIN, dst_gap=DstGap.SKIP)
    if change == "edit":
        await ledger.patch("job", description="new")
    if change == "resume":
        await ledger.jobs.set_enabled("job", enabled=False)
        await ledger.jobs.set_enabled("job", enabled=True)
    if change == "switch on":
        await ledger.switch.pause()
        await ledger.switch.resume()
    assert await pass_days(ledger, clock, job, 1) == [(instant("03-28T01:00"), DST)]


@pytest.mark.parametrize("settle", ["edit", "stop", "pause", "switch off"])
async def test_a_gap_that_is_skipped_is_accounted_for_by_changes_and_pauses_too(
    ledger: Ledger, clock: FakeClock, settle: str
) -> None:
    job = await created(ledger, clock, instant("03-26T12:00"), "30 2 * * *", BERLIN, dst_gap=DstGap.SKIP)
    if settle == "pause":
        await ledger.jobs.set_enabled("job", enabled=False)
    if settle == "switch off":
        await ledger.switch.pause()
    clock.step(3.5 * DAY)
    if settle in ("pause", "switch off"):
        await (ledger.jobs.set_enabled("job", enabled=True) if settle == "pause" else ledger.switch.resume())
    if settle in ("edit", "stop"):
        await (ledger.patch("job", description="new") if settle == "edit" else ledger.switch.pause())
        assert [run.reason for run in await ledger.runs_of(job)] == ["window", DST, None]
    due = [instant(at) for at in ("03-27T01:30", "03-28T01:00", "03-29T00:30")]
    await every_instant_is_accounted_for(ledger, job, due)


@pytest.mark.parametrize("gap", list(DstGap))
@pytest.mark.parametrize("overlap", list(DstOverlap))
async def test_recomputing_honours_both_and_versions_keep_them(
    ledger: Ledger, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, gap: DstGap, overlap: DstOverlap
) -> None:
    monkeypatch.setattr(recompute_module, "COMPUTED_UNDER", "dialect 999 tzdata 9999z")
    at = instant("10-31T00:30")  # the first pass is due, the second to come
    job = await created(ledger, clock, at - DAY, "30 2 * * *", BERLIN, dst_gap=gap, dst_overlap=overlap)
    clock.step(DAY)
    await recompute(ledger.database)
    assert (await ledger.row_of(job)).next_run == (
        instant("11-01T01:30") if overlap is DstOverlap.FIRST else instant("10-31T01:30")
    )
    for version in await ledger.versions_of(job):
        assert (version.definition["dst_gap"], version.definition["dst_overlap"]) == (gap, overlap)


async def test_another_answer_to_a_gap_is_another_schedule(ledger: Ledger, clock: FakeClock) -> None:
    job = await created(ledger, clock, instant("10-30T12:00"), "30 2 * * *", BERLIN)
    clock.step(instant("10-31T00:45") - clock.now())
    changed = await ledger.patch("job", dst_overlap=DstOverlap.BOTH)
    assert changed.next_run == instant("10-31T01:30")
    assert (changed.version, (await ledger.jobs.get("job")).dst_overlap) == (2, DstOverlap.BOTH)
    assert [run.scheduled_for for run in await ledger.runs_of(job)] == [instant("10-31T00:30")]
