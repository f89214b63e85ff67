from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from httpx2 import AsyncClient

from app.domain.entries import EntryID, JobRow
from app.domain.recurrence import Recurrence
from app.service.services import Services
from tests.api.building import create


async def test_the_stop_switch_opens_and_closes_a_span_of_each_job(client: AsyncClient) -> None:
    await create(client)
    before = (await client.get("/v1/scheduler")).json()
    assert before["paused"] is False
    paused = await client.post("/v1/scheduler/pause")
    assert paused.status_code == 200
    assert paused.json()["paused"] is True
    assert paused.json()["since"] > before["since"]
    assert (await client.get("/v1/scheduler")).json() == paused.json()
    assert (await client.post("/v1/scheduler/pause")).json() == paused.json()
    assert (await client.get("/v1/jobs/nightly")).json()["next_run"] is None
    resumed = (await client.post("/v1/scheduler/resume")).json()
    assert (resumed["paused"], resumed["since"] > paused.json()["since"]) == (False, True)
    assert (await client.get("/v1/jobs/nightly")).json()["next_run"] is not None
    spans = (await client.get("/v1/jobs/nightly/spans")).json()["items"]
    assert [(span["reason"], span["count"]) for span in spans] == [("scheduler paused", 0)]


async def test_a_job_made_while_everything_stands_still_waits_too(client: AsyncClient) -> None:
    await client.post("/v1/scheduler/pause")
    assert (await create(client))["next_run"] is None
    assert (await client.get("/v1/jobs/nightly/spans")).json()["items"][0]["until"] is None


async def test_entries_tell_what_this_replica_remembers(client: AsyncClient, services: Services) -> None:
    assert (await client.get("/v1/entries")).json() == {
        "replica": str(services.scheduler.replica),
        "items": [],
        "next_cursor": None,
    }
    job = await create(client)
    await services.scheduler.follower.load()
    items = (await client.get("/v1/entries")).json()["items"]
    assert items == [
        {
            "entry_id": 1,
            "name": "nightly",
            "job_id": job["id"],
            "version": 1,
            "next": job["next_run"],
            "prev": None,
        }
    ]


async def test_an_entry_in_hand_has_no_next_time(client: AsyncClient, services: Services) -> None:
    job = await create(client)
    await services.scheduler.follower.load()
    due = datetime.fromisoformat(job["next_run"])
    taken = services.scheduler.entries.due(due, 1)
    assert (await client.get("/v1/entries")).json()["items"][0]["next"] is None
    services.scheduler.entries.advance(taken[0].entry, due + timedelta(days=1), claimed=due)
    assert (await client.get("/v1/entries")).json()["items"][0]["prev"] == job["next_run"]


async def test_pages_lead_through_all_entries(client: AsyncClient, services: Services) -> None:
    for number in range(5):
        await create(client, name=f"job-{number}")
    await services.scheduler.follower.load()
    found: list[int] = []
    url: str | None = "/v1/entries?limit=2"
    while url is not None:
        answer = await client.get(url)
        found += [entry["entry_id"] for entry in answer.json()["items"]]
        if len(found) == 2:
            row = next(iter(services.scheduler.entries)).job
            services.scheduler.entries.remove(row.id)
            services.scheduler.entries.put(JobRow(99, UUID(int=99), "new", 1, row.next_run, Recurrence("0 3 * * *")))
        url = answer.links["next"]["url"] if "next" in answer.links else None
    assert found == [EntryID(number) for number in range(1, 7)]
