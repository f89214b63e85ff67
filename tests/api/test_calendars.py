from __future__ import annotations

import json
from typing import Any

import pytest
from httpx2 import AsyncClient, Response

from app.api.schemas.calendar import EXAMPLE, ICALENDAR
from tests.api.building import JOB, create, problem

EVE = {"date": "2027-12-24", "summary": "Christmas Eve"}
STOCKTAKING = {"from": "2027-12-27", "until": "2027-12-31"}
EVENING = {"from": "2027-12-23T18:00:00+01:00", "until": "2027-12-23T23:00:00+01:00", "summary": "party"}


async def made(client: AsyncClient, **changes: Any) -> dict[str, Any]:
    answer = await client.post("/v1/calendars", json=EXAMPLE | changes)
    assert answer.status_code == 201, answer.text
    calendar: dict[str, Any] = answer.json()
    return calendar


async def imported(client: AsyncClient, file: str | bytes, *, kind: str = "text/calendar", **headers: str) -> Response:
    sent = {"Content-Type": kind} | headers
    return await client.post("/v1/calendars/holidays/import", content=file, headers=sent)


async def test_a_calendar_is_told_as_it_was_given(client: AsyncClient) -> None:
    answer = await client.post("/v1/calendars", json=EXAMPLE)
    assert answer.status_code == 201
    assert answer.headers["location"] == "/v1/calendars/holidays"
    told = answer.json()
    assert {name: told[name] for name in EXAMPLE} == EXAMPLE
    assert (told["version"], told["created_at"]) == (1, told["updated_at"])
    read = await client.get("/v1/calendars/holidays")
    assert (read.json(), read.headers["etag"]) == (told, answer.headers["etag"])
    seen = await client.get("/v1/calendars/holidays", headers={"If-None-Match": read.headers["etag"]})
    assert (seen.status_code, seen.content) == (304, b"")


async def test_what_is_left_out_has_a_default_and_entries_one_form(client: AsyncClient) -> None:
    told = await made(client, timezone="UTC", entries=[EVENING, {"from": "2028-01-01", "until": "2028-01-01"}])
    assert told["entries"] == [
        {"from": "2027-12-23T17:00:00Z", "until": "2027-12-23T22:00:00Z", "summary": "party"},
        {"date": "2028-01-01"},
    ]
    bare = (await client.put("/v1/calendars/bare", json={})).json()
    assert (bare["timezone"], bare["description"], bare["entries"]) == ("UTC", "", [])


async def test_put_creates_and_then_replaces(client: AsyncClient) -> None:
    first = await client.put("/v1/calendars/holidays", json={"entries": [EVE]})
    assert (first.status_code, first.headers["location"]) == (201, "/v1/calendars/holidays")
    second = await client.put("/v1/calendars/holidays", json={"name": "holidays", "entries": [EVE, STOCKTAKING]})
    assert (second.status_code, second.json()["version"]) == (200, 2)
    again = await client.put("/v1/calendars/holidays", json={"entries": [EVE, STOCKTAKING]})
    assert (again.json(), again.headers["etag"]) == (second.json(), second.headers["etag"])
    problem(await client.put("/v1/calendars/holidays", json={"name": "other"}), 422, "invalid-input")


async def test_a_name_that_is_taken_is_a_conflict(client: AsyncClient) -> None:
    await made(client)
    assert problem(await client.post("/v1/calendars", json=EXAMPLE), 409, "name-taken")["field"] == "name"


async def test_calendars_are_listed_a_page_at_a_time_without_their_entries(client: AsyncClient) -> None:
    for name in ("c", "a", "b"):
        await made(client, name=name)
    page = await client.get("/v1/calendars", params={"limit": 2})
    told = page.json()
    assert [(each["name"], each["size"]) for each in told["items"]] == [("a", 2), ("b", 2)]
    assert "entries" not in told["items"][0]
    rest = (await client.get(page.links["next"]["url"])).json()
    assert ([each["name"] for each in rest["items"]], rest["next_cursor"]) == (["c"], None)
    problem(await client.get("/v1/jobs", params={"cursor": told["next_cursor"]}), 422, "invalid-cursor")


async def test_a_calendar_that_is_not_there_is_not_found(client: AsyncClient) -> None:
    said = problem(await client.get("/v1/calendars/none"), 404, "calendar-not-found")
    assert "GET /v1/calendars" in said["remedy"]
    problem(await client.delete("/v1/calendars/none"), 404, "calendar-not-found")
    await made(client, name="other")
    problem(await imported(client, ICALENDAR), 404, "calendar-not-found")


async def test_an_edit_may_be_bound_to_what_was_seen(client: AsyncClient) -> None:
    await made(client)
    seen = (await client.get("/v1/calendars/holidays")).headers["etag"]
    changed = await client.put("/v1/calendars/holidays", json={}, headers={"If-Match": seen})
    assert changed.json()["version"] == 2
    late = {"If-Match": seen}
    problem(await client.put("/v1/calendars/holidays", json={}, headers=late), 412, "version-mismatch")
    problem(await imported(client, ICALENDAR, **late), 412, "version-mismatch")
    problem(await client.delete("/v1/calendars/holidays", headers=late), 412, "version-mismatch")
    problem(await client.put("/v1/calendars/new", json={}, headers={"If-Match": "*"}), 412, "version-mismatch")
    assert (await client.delete("/v1/calendars/holidays", headers={"If-Match": '"2.0"'})).status_code == 204


async def test_a_file_fills_a_calendar(client: AsyncClient) -> None:
    await made(client)
    answer = await imported(client, ICALENDAR, kind="Text/Calendar; charset=utf-8")
    told = answer.json()
    assert (answer.status_code, told["version"]) == (200, 2)
    assert {"date": "2027-12-24", "summary": "Christmas Eve"} in told["entries"]
    assert answer.headers["etag"] == (await client.get("/v1/calendars/holidays")).headers["etag"]


async def test_a_file_that_cannot_be_read_is_refused_with_its_line(client: AsyncClient) -> None:
    await made(client)
    bad = ICALENDAR.replace("20271224", "20271324")
    said = problem(await imported(client, bad), 422, "invalid-calendar")
    assert said["field"] == "line 4"
    assert "DTSTART" in said["detail"]
    assert said["remedy"]
    problem(await imported(client, b""), 422, "invalid-calendar")
    assert (await client.get("/v1/calendars/holidays")).json()["version"] == 1


async def test_a_file_is_sent_as_one_and_within_bounds(client: AsyncClient) -> None:
    await made(client)
    for kind in ("application/json", "text/plain", ""):
        said = problem(await imported(client, ICALENDAR, kind=kind), 415, "unsupported-media-type")
        assert "text/calendar" in said["remedy"]
    problem(await imported(client, ICALENDAR + " " * 2**20), 413, "body-too-large")


async def test_a_job_leaves_out_what_it_says(client: AsyncClient) -> None:
    await made(client)
    exclude = ["2027-12-24", STOCKTAKING, {"calendar": "holidays"}]
    job = await create(client, exclude=exclude)
    assert job["exclude"] == exclude
    assert (await create(client, name="other"))["exclude"] == []
    patched = await client.patch("/v1/jobs/nightly", json={"exclude": ["2027-12-25"]})
    assert patched.json()["exclude"] == ["2027-12-25"]
    emptied = await client.patch("/v1/jobs/nightly", json={"exclude": None})
    assert emptied.json()["exclude"] == []
    assert emptied.json()["version"] == 3


async def test_a_calendar_that_a_job_names_must_be_there(client: AsyncClient) -> None:
    said = problem(
        await client.post("/v1/jobs", json=JOB | {"exclude": [{"calendar": "holidays"}]}), 422, "unknown-calendar"
    )
    assert (said["field"], "PUT /v1/calendars/holidays" in said["remedy"]) == ("exclude", True)


async def test_a_calendar_in_use_is_not_deleted(client: AsyncClient) -> None:
    await made(client)
    await create(client, exclude=[{"calendar": "holidays"}])
    said = problem(await client.delete("/v1/calendars/holidays"), 409, "calendar-in-use")
    assert "nightly" in said["detail"]
    await client.delete("/v1/jobs/nightly")
    assert (await client.delete("/v1/calendars/holidays")).status_code == 204


async def test_next_times_are_marked_where_they_are_excluded(client: AsyncClient) -> None:
    await made(client, entries=[{"from": "2026-01-01", "until": "2099-12-31", "summary": "closed"}])
    await create(client, exclude=[{"calendar": "holidays"}], max_runs=1)
    await create(client, name="open", max_runs=1)
    closed = (await client.get("/v1/jobs/nightly/next", params={"count": 3})).json()["items"]
    assert [each["excluded"] for each in closed] == ["calendar holidays (closed)"] * 3
    assert [each["excluded"] for each in (await client.get("/v1/jobs/open/next")).json()["items"]] == [None]


async def test_a_preview_marks_what_would_be_excluded(client: AsyncClient) -> None:
    await made(client, entries=[EVE], timezone="UTC")
    sent = {"schedule": "TZ=Asia/Tokyo 0 3 * * *", "from": "2027-12-23T12:00:00Z", "count": 3}
    exclude = ["2027-12-24", {"calendar": "holidays"}]
    answer = await client.post("/v1/schedules/preview", json=sent | {"exclude": exclude})
    told = [(each["at"], each["excluded"]) for each in answer.json()["occurrences"]]
    assert told == [
        ("2027-12-23T18:00:00Z", "2027-12-24"),
        ("2027-12-24T18:00:00Z", "calendar holidays (Christmas Eve)"),
        ("2027-12-25T18:00:00Z", None),
    ]
    unknown = sent | {"exclude": [{"calendar": "none"}]}
    problem(await client.post("/v1/schedules/preview", json=unknown), 422, "unknown-calendar")


BAD_ITEMS: list[Any] = [
    *(
        "2027-12-24T00:00:00Z",
        "2027-02-29",
        "2027-1-1",
        "1969-12-31",
        "2100-01-01",
        "calendar:holidays",
        "",
        None,
        20271224,
    ),
    *({}, {"date": "2027-12-24"}, {"from": "2027-12-24"}, {"until": "2027-12-24"}, ["2027-12-24"], True),
    {"from": "2027-12-24", "until": "2027-12-25T00:00:00Z"},
    {"from": "2027-12-24", "until": "2027-12-24", "calendar": "a"},
    {"from": "2027-12-24T10:00:00", "until": "2027-12-24T11:00:00"},
    {"from": 1, "until": 2},
    *({"calendar": ""}, {"calendar": "a/b"}, {"calendar": "a\n"}, {"calendar": 1}, {"calendar": "\ud800"}),
]


@pytest.mark.parametrize("item", BAD_ITEMS)
async def test_a_bad_item_is_refused_by_its_number(client: AsyncClient, item: Any) -> None:
    said = problem(await _sent(client, "/v1/jobs", JOB | {"exclude": ["2027-12-24", item]}), 422, "invalid-input")
    assert said["field"] == "exclude.1"
    assert said["remedy"]


BAD_ENTRIES: list[Any] = [
    *(
        "2027-12-24",
        {"date": "2027-02-30"},
        {"date": "2027-12-24", "until": "2027-12-25"},
        {"summary": "a"},
        None,
        1,
        {},
    ),
    {"date": "2027-12-24", "summary": "x" * 256},
    *({"date": "2027-12-24", "summary": bad} for bad in (None, 1, "\0", "\ud800")),
    *({"from": "2027-12-24"}, {"calendar": "a"}, {"from": "2027-12-24", "until": "2027-12-24T00:00:00Z"}),
]


@pytest.mark.parametrize("entry", BAD_ENTRIES)
async def test_a_bad_entry_is_refused_by_its_number(client: AsyncClient, entry: Any) -> None:
    said = problem(await _sent(client, "/v1/calendars", EXAMPLE | {"entries": [EVE, entry]}), 422, "invalid-input")
    assert said["field"] == "entries.1"
    assert said["remedy"]


@pytest.mark.parametrize(
    ("changes", "field", "slug"),
    [
        ({"name": ""}, "name", "invalid-input"),
        ({"name": "a/b"}, "name", "invalid-input"),
        ({"timezone": "Berlin"}, "timezone", "unknown-timezone"),
        ({"timezone": None}, "timezone", "invalid-input"),
        ({"description": "\0"}, "description", "invalid-input"),
        ({"entries": {}}, "entries", "invalid-input"),
        ({"entries": [EVE] * 5001}, "entries", "invalid-input"),
        ({"entries": [{"from": "2027-12-25", "until": "2027-12-24"}]}, "entries", "invalid-input"),
        ({"entries": [{"from": "2027-12-25T00:00:00Z", "until": "2027-12-25T00:00:00Z"}]}, "entries", "invalid-input"),
        ({"version": 3}, "version", "invalid-input"),
    ],
)
async def test_a_bad_calendar_is_refused_by_its_field(
    client: AsyncClient, changes: dict[str, Any], field: str, slug: str
) -> None:
    assert problem(await _sent(client, "/v1/calendars", EXAMPLE | changes), 422, slug)["field"] == field
    problem(await client.get("/v1/calendars/holidays"), 404, "calendar-not-found")


@pytest.mark.parametrize(
    "exclude",
    [None, "2027-12-24", ["2027-12-24"] * 101, [{"from": "2027-12-25", "until": "2027-12-24"}]],
)
async def test_a_bad_list_is_refused(client: AsyncClient, exclude: Any) -> None:
    said = problem(await _sent(client, "/v1/jobs", JOB | {"exclude": exclude}), 422, "invalid-input")
    assert said["field"] == "exclude"


async def _sent(client: AsyncClient, path: str, body: dict[str, Any]) -> Response:
    """As JSON that may hold half of a surrogate pair."""
    return await client.post(path, content=json.dumps(body), headers={"Content-Type": "application/json"})
