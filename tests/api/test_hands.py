"""What a person does to a run or a job: cancel, retry, pause with a note and until an instant."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from httpx2 import AsyncClient
from sqlalchemy import update

from app.db.engine import Database
from app.db.tables import cron_jobs, job_runs
from tests.api.building import NO_SUCH_RUN, create, problem
from tests.api.test_runs import FIELDS, trigger

PAST = "2020-01-01T00:00:00Z"


def soon(**by: float) -> str:
    return (datetime.now(UTC) + timedelta(**by)).isoformat()


async def put_in_state(database: Database, state: str, **more: Any) -> None:
    async with database.begin() as connection:
        await connection.execute(update(job_runs).values(state=state, **more))


async def test_a_pending_run_is_canceled_at_once(client: AsyncClient) -> None:
    await create(client)
    run = await trigger(client)
    answer = await client.post(f"/v1/runs/{run['id']}/cancel")
    assert answer.status_code == 200
    assert set(answer.json()) == set(FIELDS.split())
    assert (answer.json()["state"], answer.json()["reason"]) == ("canceled", "canceled by hand")
    assert answer.json()["cancel_requested"] is False
    assert (await client.get(f"/v1/runs/{run['id']}")).json() == answer.json()


@pytest.mark.parametrize("body", [None, {}, {"note": None}])
async def test_a_cancel_needs_no_note(client: AsyncClient, body: dict[str, Any] | None) -> None:
    await create(client)
    run = await trigger(client)
    answer = await client.post(f"/v1/runs/{run['id']}/cancel", json=body)
    assert (answer.status_code, answer.json()["reason"]) == (200, "canceled by hand")


async def test_a_note_is_part_of_the_reason(client: AsyncClient) -> None:
    await create(client)
    run = await trigger(client)
    answer = await client.post(f"/v1/runs/{run['id']}/cancel", json={"note": "falscher Tag, Schüler"})
    assert answer.json()["reason"] == "canceled by hand: falscher Tag, Schüler"


async def test_a_run_that_is_called_is_asked_to_end(client: AsyncClient, database: Database) -> None:
    await create(client)
    run = await trigger(client)
    await put_in_state(database, "running")
    for _ in range(2):
        answer = await client.post(f"/v1/runs/{run['id']}/cancel", json={"note": "stop"})
        assert answer.status_code == 202
        assert (answer.json()["state"], answer.json()["reason"]) == ("running", None)
        assert answer.json()["cancel_requested"] is True


async def test_a_run_that_has_ended_is_not_canceled(client: AsyncClient) -> None:
    await create(client)
    run = await trigger(client)
    await client.post(f"/v1/runs/{run['id']}/cancel")
    said = problem(await client.post(f"/v1/runs/{run['id']}/cancel"), 409, "conflict")
    assert "canceled" in said["detail"]
    assert said["remedy"]


async def test_a_run_that_has_ended_is_repeated(client: AsyncClient, database: Database) -> None:
    await create(client)
    run = await trigger(client)
    await put_in_state(database, "failed")
    answer = await client.post(f"/v1/runs/{run['id']}/retry")
    again = answer.json()
    assert (answer.status_code, answer.headers["location"]) == (202, f"/v1/runs/{again['id']}")
    assert (again["retry_of"], again["trigger"], again["state"]) == (run["id"], "retry", "pending")
    assert again["scheduled_for"] == run["scheduled_for"] < again["due_at"]
    assert (await client.get(answer.headers["location"])).json() == again
    assert (await client.get("/v1/runs?trigger=retry")).json()["items"] == [again]


async def test_a_run_that_goes_on_is_not_repeated(client: AsyncClient) -> None:
    await create(client)
    run = await trigger(client)
    assert "pending" in problem(await client.post(f"/v1/runs/{run['id']}/retry"), 409, "conflict")["detail"]


async def test_a_run_whose_job_cannot_be_called_is_not_repeated(client: AsyncClient, database: Database) -> None:
    await create(client)
    run = await trigger(client)
    await client.post(f"/v1/runs/{run['id']}/cancel")
    async with database.begin() as connection:
        await connection.execute(update(cron_jobs).values(endpoint=None))
    assert "endpoint" in problem(await client.post(f"/v1/runs/{run['id']}/retry"), 409, "conflict")["detail"]
    await client.delete("/v1/jobs/nightly")
    assert "deleted" in problem(await client.post(f"/v1/runs/{run['id']}/retry"), 409, "conflict")["detail"]


@pytest.mark.parametrize("act", ["cancel", "retry"])
@pytest.mark.parametrize("run_id", [NO_SUCH_RUN, UUID(int=0), UUID(int=2**128 - 1)])
async def test_what_is_asked_of_a_missing_run_is_not_found(client: AsyncClient, act: str, run_id: UUID) -> None:
    problem(await client.post(f"/v1/runs/{run_id}/{act}"), 404, "run-not-found")


async def test_a_pause_keeps_its_note_and_its_end(client: AsyncClient) -> None:
    await create(client)
    until = soon(hours=1)
    paused = await client.post("/v1/jobs/nightly/pause", json={"note": "moving house", "until": until})
    job = paused.json()
    assert (paused.status_code, job["enabled"], job["pause_note"]) == (200, False, "moving house")
    assert datetime.fromisoformat(job["paused_until"]) == datetime.fromisoformat(until)
    [span] = (await client.get("/v1/jobs/nightly/spans")).json()["items"]
    assert (span["reason"], span["note"], span["paused_until"]) == ("paused", "moving house", job["paused_until"])
    anew = (await client.post("/v1/jobs/nightly/pause")).json()
    assert (anew["pause_note"], anew["paused_until"], anew["version"]) == (None, None, 3)
    await client.post("/v1/jobs/nightly/pause", json={"note": "again", "until": soon(hours=2)})
    resumed = (await client.post("/v1/jobs/nightly/resume")).json()
    assert (resumed["enabled"], resumed["pause_note"], resumed["paused_until"]) == (True, None, None)


@pytest.mark.parametrize("change", [{"enabled": True}, {"enabled": None}])
async def test_a_patch_that_enables_a_job_ends_its_pause(client: AsyncClient, change: dict[str, Any]) -> None:
    await create(client)
    await client.post("/v1/jobs/nightly/pause", json={"note": "moving house", "until": soon(hours=1)})
    job = (await client.patch("/v1/jobs/nightly", json=change)).json()
    assert (job["enabled"], job["pause_note"], job["paused_until"]) == (True, None, None)


async def test_a_pause_until_the_past_is_refused(client: AsyncClient) -> None:
    before = await create(client)
    said = problem(await client.post("/v1/jobs/nightly/pause", json={"until": PAST}), 422, "invalid-input")
    assert (said["field"], said["errors"][0]["field"]) == ("until", "until")
    assert PAST in said["detail"]
    assert "leave it out" in said["remedy"]
    assert (await client.get("/v1/jobs/nightly")).json() == before


BAD = [
    ({"note": "x" * 1025}, "note"),
    ({"note": "a\0"}, "note"),
    ({"note": 1}, "note"),
    ({"notes": "a"}, "notes"),
    ([], "body"),
    ("a", "body"),
    (1, "body"),
]
BAD_UNTIL = [
    ({"until": "2099-01-01T00:00:00"}, "until"),
    ({"until": "tomorrow"}, "until"),
    ({"until": 4000000000}, "until"),
    ({"until": "2100-01-01T00:00:00Z"}, "until"),
    ({"until": ""}, "until"),
    ({"note": 1, "until": "tomorrow"}, "note"),
]


@pytest.mark.parametrize(("body", "field"), BAD)
async def test_a_bad_note_is_named(client: AsyncClient, body: Any, field: str) -> None:
    run = await trigger(client, (await create(client))["name"])
    for path in (f"/v1/runs/{run['id']}/cancel", "/v1/jobs/nightly/pause"):
        assert problem(await client.post(path, json=body), 422, "invalid-input")["field"] == field


@pytest.mark.parametrize(("body", "field"), BAD_UNTIL)
async def test_a_bad_instant_is_named(client: AsyncClient, body: Any, field: str) -> None:
    await create(client)
    said = problem(await client.post("/v1/jobs/nightly/pause", json=body), 422, "invalid-input")
    assert (said["field"], "until" in {error["field"] for error in said["errors"]}) == (field, True)


@pytest.mark.parametrize("path", [f"/v1/runs/{NO_SUCH_RUN}/cancel", "/v1/jobs/nightly/pause"])
async def test_a_body_that_is_no_json_is_refused(client: AsyncClient, path: str) -> None:
    await create(client)
    as_json = {"Content-Type": "application/json"}
    problem(await client.post(path, content=b"{", headers=as_json), 400, "malformed-body")
    problem(
        await client.post(path, content=b'{"note": "a"}', headers={"Content-Type": "text/plain"}),
        415,
        "unsupported-media-type",
    )


async def test_an_empty_body_is_none(client: AsyncClient) -> None:
    await create(client)
    for headers in ({}, {"Content-Type": "application/json"}, {"Content-Type": "text/plain"}):
        assert (await client.post("/v1/jobs/nightly/pause", content=b"", headers=headers)).status_code == 200
