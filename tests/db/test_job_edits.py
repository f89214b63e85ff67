from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from app.domain.clock import FakeClock
from app.domain.errors import (
    InvalidInput,
    JobNotFound,
    VersionMismatch,
)
from app.domain.job import DayRule, JobDefinition, PersistedJob
from tests.db.building import JUST, MINUTE, NOON, SECOND, Ledger
from tests.db.full_definition import FULL
from tests.db.locks import gate


async def test_replace_creates_what_is_not_there_and_replaces_what_is(ledger: Ledger, clock: FakeClock) -> None:
    made, new = await ledger.jobs.replace(FULL)
    clock.step(MINUTE)
    other = JobDefinition(name="full", schedule="@hourly", endpoint="http://two.example/")
    replaced, again = await ledger.jobs.replace(other)
    assert (new, again) == (True, False)
    assert replaced.definition() == other
    assert (replaced.id, replaced.uid, replaced.version) == (made.id, made.uid, 2)
    assert (replaced.created_at, replaced.updated_at) == (NOON, NOON + MINUTE)


async def test_two_that_put_a_new_job_at_once_make_one_and_replace_it(contended: Ledger, rival: Ledger) -> None:
    async with gate(contended.url, "LOCK TABLE job_versions IN SHARE MODE") as held:
        first = asyncio.create_task(contended.jobs.replace(FULL))
        await held.until_waiting(1)
        second = asyncio.create_task(rival.jobs.replace(replace(FULL, description="second")))
        await held.until_waiting(2)
        await held.open()
        made, replaced = await first, await second
    assert (made[1], replaced[1]) == (True, False)
    assert (replaced[0].id, replaced[0].version, replaced[0].description) == (made[0].id, 2, "second")


async def test_a_change_begins_a_version_where_the_last_one_ends(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create()
    for description in ("one", "two"):
        clock.step(MINUTE)
        await ledger.patch("job", description=description)
    versions = await ledger.versions_of(job)
    assert [(each.version, each.effective_from, each.effective_until) for each in versions] == [
        (1, NOON, NOON + MINUTE),
        (2, NOON + MINUTE, NOON + 2 * MINUTE),
        (3, NOON + 2 * MINUTE, None),
    ]
    assert [each.definition["description"] for each in versions] == ["", "one", "two"]
    await ledger.jobs.delete("job")
    assert (await ledger.versions_of(job))[-1].effective_until == NOON + 2 * MINUTE


async def test_a_change_of_nothing_changes_nothing(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.jobs.create(FULL)
    clock.step(MINUTE)
    assert await ledger.jobs.edit("full", PersistedJob.definition) == job
    assert (await ledger.jobs.replace(replace(FULL)))[0] == job
    assert await ledger.jobs.set_enabled("full", enabled=True) == job
    assert len(await ledger.versions_of(job)) == 1


async def test_a_change_names_the_version_that_it_saw(ledger: Ledger) -> None:
    await ledger.create()
    await ledger.jobs.set_enabled("job", enabled=False, if_version=1)
    for attempt in (
        ledger.jobs.set_enabled("job", enabled=True, if_version=1),
        ledger.jobs.delete("job", if_version=1),
        ledger.jobs.replace(replace(FULL, name="job"), if_version=1),
        ledger.jobs.replace(FULL, if_version=1),
    ):
        with pytest.raises(VersionMismatch):
            await attempt
    assert (await ledger.jobs.get("job")).version == 2
    await ledger.jobs.delete("job", if_version=2)


async def test_of_two_changes_of_one_version_one_is_refused(ledger: Ledger, rival: Ledger) -> None:
    job = await ledger.create()
    both = await asyncio.gather(
        ledger.jobs.set_enabled("job", enabled=False, if_version=1),
        rival.jobs.edit("job", lambda job: replace(job.definition(), description="x"), if_version=1),
        return_exceptions=True,
    )
    assert sorted(type(each).__name__ for each in both) == ["PersistedJob", "VersionMismatch"]
    assert len(await ledger.versions_of(job)) == 2


async def test_what_is_not_there_is_not_found(ledger: Ledger) -> None:
    for attempt in (
        ledger.jobs.get("job"),
        ledger.jobs.delete("job"),
        ledger.jobs.set_enabled("job", enabled=False),
        ledger.runs.trigger("job"),
    ):
        with pytest.raises(JobNotFound):
            await attempt


async def test_a_job_keeps_its_name(ledger: Ledger) -> None:
    await ledger.create()
    with pytest.raises(InvalidInput, match="keeps its name"):
        await ledger.patch("job", name="other")


async def test_the_phase_of_every_is_the_moment_at_which_it_was_set(ledger: Ledger, clock: FakeClock) -> None:
    clock.step(timedelta(seconds=7, microseconds=5))
    job = await ledger.create(schedule="@every 10m")
    assert job.anchor == NOON + 7 * SECOND
    assert job.next_run == NOON + 7 * SECOND + 10 * MINUTE


@pytest.mark.parametrize(
    "changes",
    [
        {"description": "new"},
        {"endpoint": "http://two.example/"},
        {"timeout_seconds": 5},
        {"ends_at": NOON + timedelta(days=9)},
        {"timezone": "Asia/Tokyo"},
        {"day_rule": DayRule.AND},
    ],
)
async def test_a_change_of_something_else_does_not_shift_the_phase(
    ledger: Ledger, clock: FakeClock, changes: dict[str, Any]
) -> None:
    await ledger.create(schedule="@every 10m")
    clock.step(3 * MINUTE)
    job = await ledger.patch("job", **changes)
    assert (job.version, job.anchor, job.next_run) == (2, NOON, NOON + 10 * MINUTE)


async def test_a_pause_does_not_shift_the_phase(ledger: Ledger, clock: FakeClock) -> None:
    await ledger.create(schedule="@every 10m")
    clock.step(3 * MINUTE)
    await ledger.jobs.set_enabled("job", enabled=False)
    clock.step(12 * MINUTE)
    job = await ledger.jobs.set_enabled("job", enabled=True)
    assert (job.anchor, job.next_run) == (NOON, NOON + 20 * MINUTE)


@pytest.mark.parametrize(
    ("changes", "anchor"),
    [({"schedule": "@every 11m"}, NOON + 3 * MINUTE), ({"starts_at": NOON + 99 * MINUTE}, NOON + 99 * MINUTE)],
)
async def test_a_new_schedule_or_start_sets_the_phase_anew(
    ledger: Ledger, clock: FakeClock, changes: dict[str, Any], anchor: object
) -> None:
    await ledger.create(schedule="@every 10m")
    clock.step(3 * MINUTE)
    assert (await ledger.patch("job", **changes)).anchor == anchor


async def test_an_edit_may_be_refused_by_who_makes_it(ledger: Ledger) -> None:
    job = await ledger.create()

    def refuse(_: PersistedJob) -> JobDefinition:
        raise InvalidInput("no", field="name", remedy="none")

    with pytest.raises(InvalidInput, match="no"):
        await ledger.jobs.edit("job", refuse)
    assert await ledger.jobs.get("job") == job


async def test_a_job_that_has_run_its_course_may_still_be_described(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(schedule=f"@at {(NOON + MINUTE).isoformat()}")
    clock.step(MINUTE)
    await ledger.claim(NOON + MINUTE, job)
    clock.step(MINUTE)
    assert (await ledger.patch("job", description="done")).next_run is None


async def test_a_clock_that_was_set_back_turns_no_history_back(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(schedule="@every 90s")
    await ledger.switch.pause()
    clock.step(MINUTE + JUST)
    await ledger.patch("job", schedule="@every 1h")
    clock.step(-SECOND)
    await ledger.patch("job", schedule="@every 2h")
    await ledger.switch.resume()
    versions = await ledger.versions_of(job)
    edges = [edge for version in versions for edge in (version.effective_from, version.effective_until)]
    assert edges[:-1] == sorted(edges[:-1])
    for span in await ledger.spans_of(job):
        assert span.until is not None
        assert span.after <= span.until
    changed = await ledger.jobs.get("job")
    assert changed.next_run is not None
    assert changed.next_run > edges[-2]
