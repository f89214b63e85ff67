"""Schedules through the API: each is read or refused at once, wherever it is sent."""

from __future__ import annotations

from typing import Any

from httpx2 import AsyncClient

from tests.hostile.kinds import TIMEZONES
from tests.hostile.schedules import REFUSED, TAKEN
from tests.hostile.verdicts import stored, verdict

JOB: dict[str, Any] = {"schedule": "@manual", "endpoint": "http://good.example/"}


async def deviations(
    admin: AsyncClient, method: str, path: str, sent: dict[str, dict[str, Any]], expected: dict[str, str]
) -> dict[str, str]:
    """What is answered otherwise than it should be."""
    found = {each: await verdict(admin, method, path, json=body) for each, body in sent.items()}
    return {each: said for each, said in found.items() if said != expected[each]}


async def test_what_is_no_schedule_is_refused_wherever_it_is_sent(admin: AsyncClient) -> None:
    assert len(REFUSED) > 250
    await admin.put("/v1/jobs/old", json=JOB)
    before = await stored(admin)
    alone = {text: {"schedule": text} for text in REFUSED}
    jobs = {text: JOB | each for text, each in alone.items()}
    named = {text: each | {"name": "new"} for text, each in alone.items()}
    assert await deviations(admin, "POST", "/v1/schedules/preview", named, REFUSED) == {}
    assert (
        await deviations(admin, "POST", "/v1/jobs", {text: JOB | each for text, each in named.items()}, REFUSED) == {}
    )
    assert await deviations(admin, "PUT", "/v1/jobs/old", jobs, REFUSED) == {}
    assert await deviations(admin, "PATCH", "/v1/jobs/old", alone, REFUSED) == {}
    assert await stored(admin) == before


async def test_what_is_no_zone_is_refused_wherever_it_is_sent(admin: AsyncClient) -> None:
    await admin.put("/v1/jobs/old", json=JOB)
    before = await stored(admin)
    alone = {zone: {"timezone": zone} for zone in TIMEZONES}
    previews = {zone: each | {"schedule": "@daily"} for zone, each in alone.items()}
    jobs = {zone: JOB | each for zone, each in alone.items()}
    calendars = {zone: each | {"name": "new"} for zone, each in alone.items()}
    assert await deviations(admin, "POST", "/v1/schedules/preview", previews, TIMEZONES) == {}
    assert await deviations(admin, "PUT", "/v1/jobs/old", jobs, TIMEZONES) == {}
    assert await deviations(admin, "PATCH", "/v1/jobs/old", alone, TIMEZONES) == {}
    assert await deviations(admin, "POST", "/v1/calendars", calendars, TIMEZONES) == {}
    assert await stored(admin) == before


async def test_a_zone_in_front_must_be_that_of_the_job(admin: AsyncClient) -> None:
    sent = {"schedule": "TZ=Europe/Berlin @daily", "timezone": "Europe/Paris"}
    for method, path, more in (("POST", "/v1/schedules/preview", {}), ("PUT", "/v1/jobs/new", JOB)):
        assert await verdict(admin, method, path, json=more | sent) == "422 invalid-schedule schedule"


async def test_what_only_looks_odd_is_taken_as_it_was_written(admin: AsyncClient) -> None:
    names = {f"job-{number}": text for number, text in enumerate(TAKEN)}
    previews = {text: {"schedule": text, "name": name, "count": 1000} for name, text in names.items()}
    assert await deviations(admin, "POST", "/v1/schedules/preview", previews, dict.fromkeys(TAKEN, "200")) == {}
    made = {text: JOB | {"schedule": text, "name": name} for name, text in names.items()}
    assert await deviations(admin, "POST", "/v1/jobs", made, dict.fromkeys(TAKEN, "201")) == {}
    kept = (await admin.get("/v1/jobs", params={"limit": 1000})).json()["items"]
    assert {each["name"]: each["schedule"] for each in kept} == names


async def test_what_is_taken_is_computed_in_time(admin: AsyncClient) -> None:
    names = [f"job-{number}" for number in range(len(TAKEN))]
    for name, text in zip(names, TAKEN, strict=True):
        await admin.post("/v1/jobs", json=JOB | {"schedule": text, "name": name})
    found: dict[str, str] = {}
    for name in names:
        found |= {
            f"{name} next": await verdict(admin, "GET", f"/v1/jobs/{name}/next", params={"count": 1000}),
            f"{name} paused": await verdict(admin, "POST", f"/v1/jobs/{name}/pause"),
            f"{name} resumed": await verdict(admin, "POST", f"/v1/jobs/{name}/resume"),
        }
    assert {name: said for name, said in found.items() if said != "200"} == {}
    assert await verdict(admin, "GET", "/v1/forecast", params={"hours": 168}) == "200"
