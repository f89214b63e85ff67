from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from httpx2 import AsyncClient

from app.db.engine import Database
from tests.api.building import NO_SUCH_RUN, create, problem
from tests.api.test_hands import put_in_state

WANTED = {"since": "2026-01-01T00:00:00Z", "until": "2026-01-04T00:00:00Z"}
FIELDS = (
    "id job_id job_name job_version since until max concurrency only_missing state total counts left_out next_since"
    " created_at canceled_at finished_at"
)
STATES = "pending running waiting succeeded failed canceled lost"


async def backfill(client: AsyncClient, name: str = "nightly", **changes: Any) -> dict[str, Any]:
    answer = await client.post(f"/v1/jobs/{name}/backfill", json=WANTED | changes)
    assert answer.status_code == 202, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def test_past_occurrences_are_run(client: AsyncClient) -> None:
    job = await create(client)
    answer = await client.post("/v1/jobs/nightly/backfill", json=WANTED)
    assert answer.status_code == 202
    told = answer.json()
    assert set(told) == set(FIELDS.split())
    assert told["counts"] == dict.fromkeys(STATES.split(), 0) | {"pending": 3}
    assert (told["job_id"], told["job_version"], told["state"], told["total"]) == (job["id"], 1, "running", 3)
    assert (told["max"], told["concurrency"], told["only_missing"]) == (100, 1, True)
    assert (told["since"], told["until"]) == (WANTED["since"], WANTED["until"])
    assert [told[name] for name in ("left_out", "next_since", "canceled_at", "finished_at")] == [0, None, None, None]
    assert (await client.get(answer.headers["location"])).json() == told


async def test_its_runs_are_listed_by_it(client: AsyncClient) -> None:
    await create(client)
    made = await backfill(client)
    await client.post("/v1/jobs/nightly/trigger")
    for path in ("/v1/runs", "/v1/jobs/nightly/runs"):
        runs = (await client.get(path, params={"backfill_id": made["id"]})).json()["items"]
        assert {run["scheduled_for"] for run in runs} == {f"2026-01-0{day}T03:30:00Z" for day in (1, 2, 3)}
        assert {(run["trigger"], run["backfill_id"]) for run in runs} == {("backfill", made["id"])}
        assert {run["waiting_for"] for run in runs} == {f"backfill {made['id']}"}
    for other in (NO_SUCH_RUN, "ffffffff-ffff-ffff-ffff-ffffffffffff"):
        assert (await client.get("/v1/runs", params={"backfill_id": str(other)})).json()["items"] == []


async def test_what_is_left_out_is_gone_on_with(client: AsyncClient) -> None:
    await create(client)
    first = await backfill(client, max=2)
    assert (first["total"], first["left_out"], first["next_since"]) == (2, 1, "2026-01-02T03:30:00Z")
    second = await backfill(client, max=2, since=first["next_since"])
    assert (second["total"], second["left_out"], second["next_since"]) == (1, 0, None)


async def test_a_paused_job_is_backfilled(client: AsyncClient) -> None:
    await create(client, enabled=False)
    assert (await backfill(client))["total"] == 3


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"since": None}, "since"),
        ({"until": "yesterday"}, "until"),
        ({"since": "2026-01-04T00:00:00Z"}, "since"),
        ({"until": "2099-01-01T00:00:00Z"}, "until"),
        ({"max": 0}, "max"),
        ({"max": 1001}, "max"),
        ({"max": "5"}, "max"),
        ({"max": 1.5}, "max"),
        ({"concurrency": 0}, "concurrency"),
        ({"concurrency": 101}, "concurrency"),
        ({"only_missing": "yes"}, "only_missing"),
        ({"only_mising": True}, "only_mising"),
    ],
)
async def test_a_bad_field_is_named(client: AsyncClient, changes: dict[str, Any], field: str) -> None:
    await create(client)
    said = problem(await client.post("/v1/jobs/nightly/backfill", json=WANTED | changes), 422, "invalid-input")
    assert said["field"] == field


async def test_what_can_not_be_backfilled_is_a_conflict(client: AsyncClient) -> None:
    await create(client, schedule="@manual")
    said = problem(await client.post("/v1/jobs/nightly/backfill", json=WANTED), 409, "conflict")
    assert said["remedy"]
    problem(await client.post("/v1/jobs/none/backfill", json=WANTED), 404, "job-not-found")


@pytest.mark.parametrize("backfill_id", [str(NO_SUCH_RUN), "ffffffff-ffff-ffff-ffff-ffffffffffff"])
async def test_an_unknown_backfill_is_not_found(client: AsyncClient, backfill_id: str) -> None:
    problem(await client.get(f"/v1/backfills/{backfill_id}"), 404, "backfill-not-found")
    problem(await client.post(f"/v1/backfills/{backfill_id}/cancel"), 404, "backfill-not-found")


async def test_an_id_that_is_none_is_refused(client: AsyncClient) -> None:
    assert problem(await client.get("/v1/backfills/x"), 422, "invalid-input")["field"] == "backfill_id"


async def test_backfills_are_listed_a_page_at_a_time(client: AsyncClient) -> None:
    await create(client)
    await create(client, name="other")
    made = [await backfill(client, name, only_missing=False) for name in ("nightly", "other", "nightly", "nightly")]
    newest_first = sorted((each["id"] for each in made), reverse=True)
    found: list[str] = []
    url = "/v1/backfills?limit=3"
    while url:
        answer = await client.get(url)
        found += [each["id"] for each in answer.json()["items"]]
        url = answer.links["next"]["url"] if "next" in answer.links else ""
    assert found == newest_first
    of_one = (await client.get("/v1/backfills?job=other")).json()
    assert of_one == {"items": [made[1]], "next_cursor": None}
    assert (await client.get("/v1/backfills?job=none")).json()["items"] == []


@pytest.mark.parametrize("query", [{"cursor": "x"}, {"job": ""}, {"job": "\0"}, {"name": "nightly"}, {"limit": "0"}])
async def test_a_bad_query_is_refused(client: AsyncClient, query: dict[str, str]) -> None:
    answer = await client.get("/v1/backfills", params=query)
    assert problem(answer, 422, "invalid-cursor" if "cursor" in query else "invalid-input")["field"] in query


async def test_a_backfill_is_canceled(client: AsyncClient) -> None:
    await create(client)
    made = await backfill(client)
    answer = await client.post(f"/v1/backfills/{made['id']}/cancel", json={"note": "wrong month"})
    assert answer.status_code == 200
    told = answer.json()
    assert (told["state"], told["counts"]["canceled"], told["finished_at"]) == ("canceled", 3, told["canceled_at"])
    runs = (await client.get("/v1/runs", params={"backfill_id": made["id"]})).json()["items"]
    assert {(run["state"], run["reason"]) for run in runs} == {("canceled", "backfill canceled: wrong month")}
    assert (await client.post(f"/v1/backfills/{made['id']}/cancel")).json() == told


async def test_one_whose_calls_are_to_be_cut_is_accepted(client: AsyncClient, database: Database) -> None:
    await create(client)
    made = await backfill(client)
    await put_in_state(database, "running", waiting_for=None)
    answer = await client.post(f"/v1/backfills/{made['id']}/cancel")
    assert (answer.status_code, answer.json()["state"], answer.json()["finished_at"]) == (202, "canceled", None)
    runs = (await client.get("/v1/runs", params={"backfill_id": made["id"]})).json()["items"]
    assert {run["cancel_requested"] for run in runs} == {True}


async def test_one_that_is_done_stays_so(client: AsyncClient, database: Database) -> None:
    await create(client)
    made = await backfill(client)
    at = datetime.now(UTC) + timedelta(seconds=1)
    await put_in_state(database, "succeeded", waiting_for=None, finished_at=at)
    told = (await client.get(f"/v1/backfills/{made['id']}")).json()
    assert (told["state"], told["counts"]["succeeded"]) == ("done", 3)
    assert datetime.fromisoformat(told["finished_at"]) == at
    problem(await client.post(f"/v1/backfills/{made['id']}/cancel"), 409, "conflict")


async def test_a_deleted_jobs_backfill_is_canceled(client: AsyncClient) -> None:
    await create(client)
    made = await backfill(client)
    await client.delete("/v1/jobs/nightly")
    [told] = (await client.get("/v1/backfills?job=nightly")).json()["items"]
    assert (told["id"], told["state"], told["counts"]["canceled"]) == (made["id"], "canceled", 3)
