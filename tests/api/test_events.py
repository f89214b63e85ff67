"""GET /v1/events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient
from sqlalchemy import text

from app.db.engine import Database, connect
from app.db.events import PAGE, EventLog
from app.db.horizon import Horizon
from app.domain.clock import FakeClock
from app.domain.errors import StoreUnavailable
from app.service import events
from app.service.events import EventService
from app.service.services import Services
from tests.api.building import build_app, build_scheduler, build_services, create, problem
from tests.api.streaming import BOUND, current, kinds, streaming


@pytest.fixture
async def other(database_url: str) -> AsyncIterator[FastAPI]:
    """Another replica on the same database."""
    database = connect(database_url)
    yield build_app(build_services(database, build_scheduler(database)))
    await database.close()


async def manual(client: AsyncClient, name: str) -> None:
    await create(client, name=name, schedule="@manual")


async def test_a_stream_tells_what_happens_from_then_on(api: FastAPI, client: AsyncClient) -> None:
    await manual(client, "before")
    async with streaming(api) as stream:
        assert stream.status == 200
        assert stream.headers["content-type"].startswith("text/event-stream")
        assert stream.headers["cache-control"] == "no-store"
        assert stream.headers["x-accel-buffering"] == "no"
        assert await stream.frame() == {"retry": "1000"}
        begun = await current(stream)
        await manual(client, "a")
        run = (await client.post("/v1/jobs/a/trigger")).json()
        created, pending = await stream.events(2)
        assert created["event"] == "job"
        assert created["id"] == str(created["data"]["id"])
        assert created["data"]["kind"] == "job.created"
        assert created["data"]["job_name"] == "a"
        assert pending["event"] == "run"
        assert pending["data"] == {
            "id": int(pending["id"]),
            "at": pending["data"]["at"],
            "kind": "run.pending",
            "job_id": run["job_id"],
            "job_name": "a",
            "job_version": 1,
            "run_id": run["id"],
            "scheduled_for": run["scheduled_for"],
            "trigger": "manual",
            "attempt": 0,
            "reason": None,
        }
        assert begun < int(created["id"]) < int(pending["id"])


async def test_a_stream_is_resumed_on_another_replica(api: FastAPI, other: FastAPI, client: AsyncClient) -> None:
    async with streaming(api) as stream:
        await current(stream)
        for name in "abc":
            await manual(client, name)
        first = await stream.event()
    for name in "de":
        await manual(client, name)
    async with streaming(other, Last_Event_ID=first["id"]) as resumed:
        found = [first, *await resumed.events(4)]
    assert [event["data"]["job_name"] for event in found] == list("abcde")


async def test_an_id_that_another_replica_has_told_already_is_not_unknown(
    api: FastAPI, other: FastAPI, client: AsyncClient
) -> None:
    async with streaming(other, "after=0") as early:
        assert (await early.frame()) == {"retry": "1000"}
        await manual(client, "a")
        async with streaming(api, "after=0") as stream:
            last = (await stream.event())["id"]
        async with streaming(other, Last_Event_ID=last) as resumed:
            await manual(client, "b")
            assert (await resumed.event())["data"]["job_name"] == "b"


async def test_after_is_for_who_cannot_send_the_header_which_counts_where_there_are_both(
    api: FastAPI, client: AsyncClient
) -> None:
    for name in "abc":
        await manual(client, name)
    async with streaming(api, "after=0") as stream:
        found = await stream.events(3)
    async with streaming(api, "after=0", Last_Event_ID=found[1]["id"]) as stream:
        assert (await stream.event())["data"]["job_name"] == "c"


async def test_filters(api: FastAPI, client: AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where page after page has nothing that matches."""
    monkeypatch.setattr("app.db.events.SPAN", 1)
    for name in "ab":
        await manual(client, name)
        await client.post(f"/v1/jobs/{name}/trigger")
    await client.delete("/v1/jobs/b")
    async with streaming(api, "after=0&job=b") as stream:
        found = await stream.events(4)
    assert kinds(found) == ["job.created", "run.pending", "run.canceled", "job.deleted"]
    async with streaming(api, "after=0&kind=run.canceled&kind=job.created") as stream:
        assert kinds(await stream.events(3)) == ["job.created", "job.created", "run.canceled"]


async def test_an_id_of_another_ledger_is_reset(api: FastAPI, client: AsyncClient) -> None:
    await manual(client, "a")
    async with streaming(api, Last_Event_ID="1000") as stream:
        reset, first = await stream.events(2)
    assert (reset["event"], reset["data"]) == ("reset", {"reason": "unknown", "oldest": int(first["id"])})
    assert int(reset["id"]) == int(first["id"]) - 1
    assert first["data"]["kind"] == "job.created"


async def test_an_id_that_is_too_old_is_reset(api: FastAPI, client: AsyncClient, database: Database) -> None:
    for name in "abc":
        await manual(client, name)
    await EventLog(database).move(Horizon())
    async with database.begin() as connection:
        await connection.execute(text("DELETE FROM events WHERE job_name <> 'c'"))
    async with streaming(api, "after=0") as stream:
        reset, kept = await stream.events(2)
    assert reset["data"] == {"reason": "aged", "oldest": int(kept["id"])}
    assert kept["data"]["job_name"] == "c"
    async with streaming(api, Last_Event_ID=reset["id"]) as stream:
        assert (await stream.event())["data"]["job_name"] == "c"


@pytest.mark.parametrize("sent", ["x", "-1", "1.5", "9223372036854775808", ""])
async def test_an_id_that_is_none_is_refused(client: AsyncClient, sent: str) -> None:
    said = problem(await client.get("/v1/events", headers={"Last-Event-ID": sent}), 422, "invalid-input")
    assert said["field"] == "Last-Event-ID"
    said = problem(await client.get("/v1/events", params={"after": sent}), 422, "invalid-input")
    assert said["field"] == "after"


@pytest.mark.parametrize("query", ["kind=run", "kind=run.odd", "job=", "job=%00", "other=1"])
async def test_a_filter_that_is_none_is_refused(client: AsyncClient, query: str) -> None:
    said = problem(await client.get(f"/v1/events?{query}"), 422, "invalid-input")
    assert said["field"].startswith(query.partition("=")[0])


async def test_idle_streams_say_where_they_are(
    api: FastAPI, client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a filter leaves out moves them on too, so that their ids don't grow too old."""
    monkeypatch.setattr(events, "IDLE_SECONDS", 0.0)
    async with streaming(api, "job=quiet") as stream:
        begun = await current(stream)
        await manual(client, "a")
        async with asyncio.timeout(BOUND):
            while (frame := await stream.frame()) == {"": "", "id": str(begun)} or "id" not in frame:
                pass
        assert frame == {"": "", "id": str(begun + 1)}


async def test_a_slow_client_holds_up_nobody_and_misses_nothing(
    api: FastAPI, client: AsyncClient, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it has not taken is not read for it."""
    pages = 0
    original = EventLog.page

    async def counted(*args: object) -> object:
        nonlocal pages
        pages += 1
        return await original(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(EventLog, "page", counted)
    await manual(client, "a")
    async with database.begin() as connection:
        for _ in range(PAGE * 6):
            await connection.execute(text("UPDATE cron_jobs SET version = version + 1"))
    async with streaming(api, "after=0") as slow:
        await slow.event()
        read_for_slow = pages
        async with streaming(api, "after=0&kind=job.created") as quick:
            assert (await quick.event())["data"]["job_name"] == "a"
        assert read_for_slow <= 3
        found = [1, *(event["data"]["job_version"] for event in await slow.events(PAGE * 6))]
    assert found == list(range(1, PAGE * 6 + 2))


async def test_no_more_streams_than_a_replica_may_have(database: Database) -> None:
    services = build_services(database, build_scheduler(database))
    object.__setattr__(services, "events", EventService(database, most=2))
    app = build_app(services)
    async with AsyncExitStack() as stack:
        for _ in range(2):
            await stack.enter_async_context(streaming(app))
        async with streaming(app) as refused:
            assert refused.status == 503
            assert refused.headers["content-type"] == "application/problem+json"
            assert refused.headers["retry-after"] == "2"
            assert "too-many-streams" in await refused.piece()
    async with streaming(app) as stream:
        assert stream.status == 200
    assert services.events.streams == 0


async def test_streams_end_when_the_replica_does(api: FastAPI, services: Services) -> None:
    async with streaming(api) as stream:
        await current(stream)
        services.events.close()
        with pytest.raises(EOFError):
            await stream.event()
    async with streaming(api) as late:
        with pytest.raises(EOFError):
            await late.event()


async def test_a_stream_waits_for_a_database_that_is_away(
    api: FastAPI, client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = 0
    original = EventLog.move

    async def move(*args: object) -> None:
        nonlocal away
        if away:
            away -= 1
            raise StoreUnavailable
        await original(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(EventLog, "move", move)
    async with streaming(api) as stream:
        await current(stream)
        away = 3
        await manual(client, "a")
        assert (await stream.event())["data"]["job_name"] == "a"
        assert away == 0


async def test_one_stream_waits_for_a_database_that_hangs_and_not_one_after_the_other(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each to the end of its patience, the last of them would say nothing for minutes."""
    looks = 0

    async def move(*_: object) -> None:
        nonlocal looks
        looks += 1
        await clock.advance(timedelta(seconds=8))
        raise StoreUnavailable

    clock = FakeClock(datetime(2027, 3, 1, 12, tzinfo=UTC))
    monkeypatch.setattr(EventLog, "move", move)
    streams = EventService(services.database, clock=clock)
    said = await asyncio.gather(*(streams._look() for _ in range(50)), return_exceptions=True)
    assert (looks, sum(each is None for each in said)) == (1, 49)


async def test_a_stream_does_not_begin_without_the_database(services: Services) -> None:
    nowhere = connect("postgresql://127.0.0.1:1/none")
    object.__setattr__(services, "events", EventService(nowhere))
    app = build_app(services)
    for query in ("", "after=1"):
        async with streaming(app, query) as stream:
            assert stream.status == 503
    assert services.events.streams == 0
    await nowhere.close()


async def test_nothing_goes_on_where_nobody_listens(api: FastAPI, services: Services) -> None:
    before = asyncio.all_tasks()
    async with streaming(api) as stream:
        await current(stream)
        assert services.events.streams == 1
    assert services.events.streams == 0
    assert asyncio.all_tasks() == before
