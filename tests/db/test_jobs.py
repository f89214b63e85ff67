"""JobService: what is stored, what is refused, and what counts as a change."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from app.domain.errors import (
    InvalidEndpoint,
    InvalidInput,
    InvalidSchedule,
    NameTaken,
    NeverFires,
)
from app.domain.job import JobDefinition
from tests.db.building import MINUTE, NOON, SECOND, Ledger
from tests.db.full_definition import FULL


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
