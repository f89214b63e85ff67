"""JobService: what is stored, what is refused, and what counts as a change."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from app.domain.clock import FakeClock
from app.domain.errors import (
    InvalidEndpoint,
    InvalidInput,
    InvalidSchedule,
    JobNotFound,
    NameTaken,
    NeverFires,
    VersionMismatch,
)
from app.domain.job import DayRule, JobDefinition, PersistedJob
from tests.db.building import JUST, MINUTE, NOON, SECOND, Ledger
from tests.db.locks import gate

FULL = JobDefinition(
    name="full",
    schedule="0 9 * * MON",
    endpoint="https://one.example:8443/a?b=c",
    timezone="Europe/Berlin",
    day_rule=DayRule.AND,
    description="Ünlaut \U0001f980",
    labels={"team": "a b", "": "x.y"},
    method="PUT",
    headers={"X-One": "1"},
    body={"a": [1, None, "ü"]},
    timeout_seconds=2.5,
    starts_at=NOON + timedelta(days=1, microseconds=7),
    ends_at=NOON + timedelta(days=900),
)


async def test_a_job_is_stored_as_it_was_given(ledger: Ledger) -> None:
    job = await ledger.jobs.create(FULL)
    assert job.definition() == FULL
    assert (job.version, job.created_at, job.updated_at) == (1, NOON, NOON)
    assert (job.last_run, job.last_success, job.last_error, job.problem) == (None, None, None, None)
    assert await ledger.jobs.get("full") == job
    assert (await ledger.row_of(job)).host == "one.example:8443"
    assert ledger.heard.changed == [job.id]


@pytest.mark.parametrize("body", [None, "text as it is", "", 0, False, [], {}, {"a": {"b": 1.5}}, ["ü", None]])
async def test_a_body_is_any_json(ledger: Ledger, body: Any) -> None:
    await ledger.create(body=body)
    found = (await ledger.jobs.get("job")).body
    assert (found, type(found)) == (body, type(body))


async def test_the_endpoint_is_stored_as_it_will_be_called(ledger: Ledger) -> None:
    job = await ledger.create(endpoint="HTTP://One.Example:80")
    assert job.endpoint == "http://one.example/"


async def test_a_prefix_names_the_zone(ledger: Ledger) -> None:
    job = await ledger.jobs.create(
        JobDefinition(name="job", schedule="TZ=Asia/Tokyo 0 9 * * *", endpoint="http://one.example/"), zone_given=False
    )
    assert job.timezone == "Asia/Tokyo"
    assert job.next_run == NOON + timedelta(hours=12)


async def test_the_first_version_begins_with_the_job(ledger: Ledger) -> None:
    job = await ledger.create()
    [version] = await ledger.versions_of(job)
    assert (version.version, version.effective_from, version.effective_until) == (1, NOON, None)
    assert version.definition["schedule"] == "* * * * *"


async def test_a_name_is_taken_once(ledger: Ledger, rival: Ledger) -> None:
    both = await asyncio.gather(ledger.create(), rival.create(), return_exceptions=True)
    assert sorted(type(each).__name__ for each in both) == ["NameTaken", "PersistedJob"]
    with pytest.raises(NameTaken) as told:
        await ledger.create()
    assert told.value.field == "name"


async def test_a_name_is_free_after_a_delete_and_its_id_is_not(ledger: Ledger) -> None:
    first = await ledger.create()
    await ledger.jobs.delete("job")
    second = await ledger.create()
    assert second.id > first.id
    assert second.uid != first.uid


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"schedule": "61 * * * *"}, InvalidSchedule),
        ({"schedule": "0 0 30 2 *"}, NeverFires),
        ({"schedule": "0 0 * * * 0 2020"}, NeverFires),
        ({"schedule": f"@at {NOON.isoformat()}"}, NeverFires),
        ({"schedule": "@at 2020-01-01T00:00:00Z"}, NeverFires),
        ({"ends_at": NOON + SECOND}, NeverFires),
        ({"starts_at": NOON + MINUTE, "ends_at": NOON + MINUTE}, InvalidInput),
        ({"endpoint": None}, InvalidEndpoint),
        ({"endpoint": "ftp://one.example/"}, InvalidEndpoint),
    ],
)
async def test_what_cannot_be_scheduled_or_called_is_refused(
    ledger: Ledger, changes: dict[str, Any], refusal: type[InvalidInput]
) -> None:
    with pytest.raises(refusal):
        await ledger.create(**changes)
    job = await ledger.create()
    with pytest.raises(refusal):
        await ledger.patch("job", **changes)
    assert await ledger.jobs.get("job") == job
    assert len(await ledger.versions_of(job)) == 1


async def test_a_job_that_waits_to_be_triggered_is_no_mistake(ledger: Ledger) -> None:
    assert (await ledger.create(schedule="@manual")).next_run is None


async def test_a_job_begins_with_its_start(ledger: Ledger) -> None:
    start = NOON + 90 * MINUTE
    assert (await ledger.create(starts_at=start)).next_run == start


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
