from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from httpx2 import AsyncClient

from app.db import upcoming
from app.domain.forecast import Forecast, Upcoming, forecast
from app.service import forecast as service
from tests.api.building import create, problem

HOUR = timedelta(hours=1)


async def ahead(client: AsyncClient, query: str = "") -> dict[str, Any]:
    answer = await client.get(f"/v1/forecast{query}")
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def length(told: dict[str, Any]) -> timedelta:
    return datetime.fromisoformat(told["until"]) - datetime.fromisoformat(told["from"])


async def test_nothing_is_due_where_there_are_no_jobs(client: AsyncClient) -> None:
    told = await ahead(client)
    assert set(told) == {"from", "until", "complete", "total", "per_minute", "busiest"}
    assert (length(told), told["complete"], told["total"]) == (24 * HOUR, True, 0)
    assert told["per_minute"] == told["busiest"] == []


async def test_what_each_minute_brings_and_which_jobs_bring_it(client: AsyncClient) -> None:
    minute = (datetime.now(UTC).minute + 30) % 60  # not the one that goes on, of which a part is left
    await create(client, name="hourly", schedule=f"{minute} * * * *")
    await create(client, name="often", schedule=f"*/15 {minute} * * * *")
    told = await ahead(client, "?hours=3")
    assert length(told) == 3 * HOUR
    assert told["total"] == 3 * 5
    assert [each["count"] for each in told["per_minute"]] == [5] * 3
    assert told["per_minute"] == [{"at": each["at"], "count": each["count"]} for each in told["busiest"]]
    assert told["busiest"][0]["jobs"] == [{"name": "often", "count": 4}, {"name": "hourly", "count": 1}]
    assert told["from"] < told["per_minute"][0]["at"] < told["until"]
    assert all(each["at"].endswith(f":{minute:02}:00Z") for each in told["per_minute"])


async def test_jobs_that_stand_still_are_left_out(client: AsyncClient) -> None:
    await create(client, schedule="* * * * *", enabled=False)
    await create(client, name="done", schedule="* * * * *", max_runs=2)
    await create(client, name="other", schedule="0 * * * *")
    assert (await ahead(client, "?hours=1"))["total"] == 3
    await client.post("/v1/scheduler/pause")
    assert (await ahead(client))["total"] == 0


async def test_what_calendars_exclude_is_not_counted(client: AsyncClient) -> None:
    week = {"from": "2020-01-01", "until": "2099-12-31"}
    assert (await client.post("/v1/calendars", json={"name": "ever", "entries": [week]})).status_code == 201
    await create(client, schedule="* * * * *", exclude=[{"calendar": "ever"}])
    assert (await ahead(client))["total"] == 0


async def test_more_jobs_than_a_page_are_all_counted(client: AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upcoming, "PAGE", 2)
    for number in range(5):
        await create(client, name=f"job-{number}", schedule="0 * * * *")
    assert (await ahead(client, "?hours=1"))["total"] == 5


async def test_it_is_computed_off_the_event_loop(client: AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[int] = []

    def computing(jobs: list[Upcoming], start: datetime, until: datetime) -> Forecast:
        threads.append(threading.get_ident())
        return forecast(jobs, start, until)

    monkeypatch.setattr(service, "forecast", computing)
    await asyncio.gather(ahead(client), ahead(client))
    assert len(threads) == 2
    assert threading.get_ident() not in threads


@pytest.mark.parametrize("query", ["?hours=0", "?hours=169", "?hours=x", "?hours=1.5", "?hour=1"])
async def test_a_bad_query_is_refused(client: AsyncClient, query: str) -> None:
    said = problem(await client.get(f"/v1/forecast{query}"), 422, "invalid-input")
    assert said["field"] in {"hours", "hour"}
