from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from httpx2 import AsyncClient

from app.api import cursors
from app.db.engine import Database
from app.db.tables import job_spans, job_versions
from tests.api.building import PAGE_KEY, create, problem
from tests.api.test_pages import FORGED, walk

PAST, FUTURE = "2020-02-01T03:30:00Z", "2090-02-01T03:30:00Z"
FIELDS = "at local verdict sentence run span version by_hand"
EXPLAIN = "/v1/jobs/nightly/explain"


async def asked(client: AsyncClient, at: str, path: str = EXPLAIN, **query: Any) -> list[dict[str, Any]]:
    answer = await client.get(path, params={"at": at} | query)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def test_an_instant_is_told_with_its_local_time(client: AsyncClient) -> None:
    await create(client, timezone="Asia/Tokyo")
    [one] = await asked(client, "2090-02-01T03:30:00+09:00")
    assert set(one) == set(FIELDS.split())
    assert (one["at"], one["local"]) == ("2090-01-31T18:30:00Z", "2090-02-01T03:30:00+09:00")
    assert (one["verdict"], one["version"], one["run"], one["span"], one["by_hand"]) == ("to_come", 1, None, None, [])
    assert one["sentence"].startswith("To come: due in ")


async def test_a_run_stands_beside_its_sentence(client: AsyncClient) -> None:
    await create(client)
    run = (await client.post("/v1/jobs/nightly/trigger")).json()
    [one] = await asked(client, run["scheduled_for"])
    assert one["verdict"] == "not_due"
    assert one["by_hand"] == [run["id"]]
    assert f"A person started the job at this instant: run {run['id']}" in one["sentence"]


async def test_a_span_stands_beside_its_sentence(client: AsyncClient, database: Database) -> None:
    await create(client, enabled=False)
    long_ago = datetime(2020, 1, 1, tzinfo=UTC)
    async with database.begin() as connection:
        await connection.execute(job_versions.update().values(effective_from=long_ago))
        await connection.execute(job_spans.update().values({"from": long_ago}))
    [one] = await asked(client, PAST)
    assert (one["verdict"], one["span"]["reason"], one["run"]) == ("paused", "paused", None)
    assert one["sentence"] == "Not run: the job is paused since 2020-01-01T00:00:00Z."


async def test_a_range_is_told_by_pages(client: AsyncClient) -> None:
    await create(client)
    at = "2090-02-01T03:30:00Z/2090-02-11T03:30:00Z"
    whole = await asked(client, at)
    assert [one["at"] for one in whole] == [f"2090-02-{day:02}T03:30:00Z" for day in range(1, 11)]
    assert await walk(client, f"{EXPLAIN}?at={at}&limit=3") == whole
    assert [one["verdict"] for one in whole] == ["to_come"] * 10


async def test_a_plus_in_an_offset_is_escaped(client: AsyncClient) -> None:
    await create(client)
    answer = await client.get(f"{EXPLAIN}?at=2090-02-01T04:30:00%2B01:00")
    assert answer.json()["items"][0]["verdict"] == "to_come"
    said = problem(await client.get(f"{EXPLAIN}?at=2090-02-01T04:30:00+01:00"), 422, "invalid-input")
    assert (said["field"], said["detail"]) == ("at", "at: Is not a date and time")


@pytest.mark.parametrize(
    ("at", "detail"),
    [
        ("", "Is not a date and time"),
        ("yesterday", "Is not a date and time"),
        ("\0", "Is not a date and time"),
        ("2027-01-01", "Is not a date and time"),
        ("2027-01-01T00:00:00", "Has no offset from UTC"),
        ("2027-02-29T00:00:00Z", "Does not exist in the calendar"),
        ("2100-01-01T00:00:00Z", "Is out of range"),
        ("/", "Is not a date and time"),
        (f"{PAST}/", "Is not a date and time"),
        (f"/{PAST}", "Is not a date and time"),
        (f"{PAST}/P1D", "Is not a date and time"),
        (f"{PAST}/{PAST}/{PAST}", "Is not a date and time"),
        (f"{PAST}/{PAST}", "Is a range that ends before it begins"),
        (f"{FUTURE}/{PAST}", "Is a range that ends before it begins"),
        (f"{PAST}/{FUTURE}", "Is a range of more than 366 days"),
        ("2027-01-01T00:00:00Z/2028-01-02T00:00:01Z", "Is a range of more than 366 days"),
    ],
)
@pytest.mark.parametrize("path", [EXPLAIN, f"/v1/explain?job_id={UUID(int=1)}"])
async def test_what_can_not_be_asked_is_refused(client: AsyncClient, path: str, at: str, detail: str) -> None:
    await create(client)
    said = problem(await client.get(path, params={"at": at} | _job_id(path)), 422, "invalid-input")
    assert (said["field"], said["detail"]) == ("at", f"at: {detail}")
    assert said["remedy"]


def _job_id(path: str) -> dict[str, str]:
    return {"job_id": path.rpartition("=")[2]} if "=" in path else {}


async def test_a_whole_leap_year_may_be_asked(client: AsyncClient) -> None:
    await create(client)
    assert len(await asked(client, "2028-01-01T00:00:00Z/2029-01-01T00:00:00Z", limit=500)) == 366


async def test_an_instant_must_be_given_once_and_nothing_beside_it(client: AsyncClient) -> None:
    await create(client)
    assert problem(await client.get(EXPLAIN), 422, "invalid-input")["field"] == "at"
    assert problem(await client.get(f"{EXPLAIN}?at={PAST}&since=1"), 422, "invalid-input")["field"] == "since"
    assert problem(await client.get(f"{EXPLAIN}?at={PAST}&limit=501"), 422, "invalid-input")["field"] == "limit"
    assert problem(await client.get(f"/v1/explain?at={PAST}"), 422, "invalid-input")["field"] == "job_id"
    assert problem(await client.get(f"/v1/explain?at={PAST}&job_id=1"), 422, "invalid-input")["field"] == "job_id"


@pytest.mark.parametrize(
    "cursor", [*FORGED, cursors.encode(PAGE_KEY, "instants", 2**62), cursors.encode(PAGE_KEY, "instants", -1)]
)
async def test_a_forged_cursor_is_refused(client: AsyncClient, cursor: str) -> None:
    await create(client)
    said = problem(await client.get(EXPLAIN, params={"at": PAST, "cursor": cursor}), 422, "invalid-cursor")
    assert said["field"] == "cursor"


async def test_a_cursor_beyond_the_range_leads_to_an_empty_page(client: AsyncClient) -> None:
    await create(client)
    beyond = cursors.encode(PAGE_KEY, "instants", cursors.microseconds(datetime(2099, 12, 31, tzinfo=UTC)))
    for at in (PAST, f"{PAST}/2020-02-02T00:00:00Z"):
        assert await asked(client, at, cursor=beyond) == []


async def test_an_unknown_job_is_not_found(client: AsyncClient) -> None:
    problem(await client.get(EXPLAIN, params={"at": PAST}), 404, "job-not-found")
    problem(await client.get(f"/v1/explain?at={PAST}&job_id={UUID(int=1)}"), 404, "job-not-found")


async def test_a_deleted_job_is_told_of_by_its_id(client: AsyncClient) -> None:
    job = await create(client)
    await client.delete("/v1/jobs/nightly")
    [one] = await asked(client, FUTURE, "/v1/explain", job_id=job["id"])
    assert one["verdict"] == "deleted"
    [one] = await asked(client, PAST, "/v1/explain", job_id=job["id"])
    assert one["verdict"] == "not_created"
