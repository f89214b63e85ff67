from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts
from httpx2 import AsyncClient, Response
from sqlalchemy import update

from app.api.once import NEVER_KEPT, OnceRoute
from app.db.tables import idempotency_keys
from app.domain.errors import StoreUnavailable
from app.domain.job import JobDefinition
from app.service.housekeeping import Housekeeping
from app.service.services import Services
from tests.api.building import JOB, create, problem


def _headers(key: str = "5d2f") -> dict[str, str]:
    return {"Idempotency-Key": key}


async def _trigger(client: AsyncClient, key: str = "5d2f") -> Response:
    return await client.post("/v1/jobs/nightly/trigger", headers=_headers(key))


async def _count(client: AsyncClient) -> int:
    return len((await client.get("/v1/runs")).json()["items"])


async def _age(services: Services, seconds: int) -> None:
    """As if the keys had been sent so long ago."""
    earlier = {
        "postgresql": f"begun_at - interval '{seconds} seconds'",
        "mariadb": f"begun_at - INTERVAL {seconds} SECOND",
        "sqlite": f"strftime('%Y-%m-%d %H:%M:%f000', begun_at, '-{seconds} seconds')",
    }
    async with services.database.begin() as connection:
        aged = f"UPDATE idempotency_keys SET begun_at = {earlier[services.database.dialect]}"  # noqa: S608  # a number
        await connection.exec_driver_sql(aged)


async def test_a_post_that_is_sent_twice_is_carried_out_once(client: AsyncClient) -> None:
    await create(client)
    first, again = await _trigger(client), await _trigger(client)
    assert first.status_code == again.status_code == 202
    assert first.content == again.content
    assert {name: first.headers[name] for name in ("location", "content-type")} == {
        name: again.headers[name] for name in ("location", "content-type")
    }
    assert await _count(client) == 1


async def test_another_key_is_another_request(client: AsyncClient) -> None:
    await create(client)
    runs = {(await _trigger(client, key)).json()["id"] for key in ("one", "two")}
    assert len(runs) == 2 == await _count(client)


async def test_a_job_that_was_made_is_answered_with_its_etag_again(client: AsyncClient) -> None:
    first = await client.post("/v1/jobs", json=JOB, headers=_headers())
    again = await client.post("/v1/jobs", json=JOB, headers=_headers())
    assert (first.status_code, first.headers["etag"]) == (again.status_code, again.headers["etag"])
    assert again.status_code == 201


@pytest.mark.parametrize("change", [{"name": "other"}, {"schedule": "0 1 * * *"}])
async def test_a_key_that_comes_with_another_body_is_refused(client: AsyncClient, change: dict[str, Any]) -> None:
    await client.post("/v1/jobs", json=JOB, headers=_headers())
    answer = await client.post("/v1/jobs", json=JOB | change, headers=_headers())
    said = problem(answer, 422, "idempotency-key-reused")
    assert (said["field"], bool(said["remedy"])) == ("Idempotency-Key", True)


async def test_a_key_that_comes_on_another_path_or_query_is_refused(client: AsyncClient) -> None:
    await create(client)
    await _trigger(client)
    problem(await client.post("/v1/jobs/nightly/pause", headers=_headers()), 422, "idempotency-key-reused")
    dry = await client.post("/v1/jobs", params={"dry_run": "true"}, json=JOB | {"name": "b"}, headers=_headers("dry"))
    assert dry.status_code == 200
    real = await client.post("/v1/jobs", json=JOB | {"name": "b"}, headers=_headers("dry"))
    problem(real, 422, "idempotency-key-reused")


@pytest.mark.parametrize("key", ["", "a b", "x" * 256])
async def test_a_key_that_is_none_is_refused(client: AsyncClient, key: str) -> None:
    await create(client)
    assert problem(await _trigger(client, key), 422, "invalid-input")["field"] == "Idempotency-Key"
    assert await _count(client) == 0


async def test_a_request_that_was_refused_may_be_sent_again(client: AsyncClient) -> None:
    """Nothing of it was carried out, and by now it may be right."""
    problem(await _trigger(client), 404, "job-not-found")
    await create(client)
    assert (await _trigger(client)).status_code == 202


async def test_one_that_is_under_way_is_not_begun_twice(client: AsyncClient, services: Services) -> None:
    await create(client)
    trigger, begun, go_on = services.runs.trigger, asyncio.Event(), asyncio.Event()

    async def slow(name: str) -> Any:
        begun.set()
        await asyncio.wait_for(go_on.wait(), 10)
        return await trigger(name)

    services.runs.trigger = slow  # type: ignore[method-assign]  # held up while it is sent again
    first = asyncio.create_task(_trigger(client))
    await asyncio.wait_for(begun.wait(), 10)
    said = problem(await _trigger(client), 409, "request-in-flight")
    go_on.set()
    assert (await first).status_code == 202
    assert said["remedy"]
    assert await _count(client) == 1


async def test_many_at_once_make_one(client: AsyncClient) -> None:
    await create(client)
    answers = await asyncio.gather(*(_trigger(client) for _ in range(8)))
    assert {answer.status_code for answer in answers} <= {202, 409}
    assert await _count(client) == 1


async def test_one_whose_process_died_is_carried_out_by_the_next_after_a_while(
    client: AsyncClient, services: Services
) -> None:
    await create(client)

    async def dies(name: str) -> Any:
        raise StoreUnavailable(name)

    async def not_given_back(_: Any) -> None: ...

    trigger, services.runs.trigger = services.runs.trigger, dies  # type: ignore[method-assign]
    services.idempotency._release = not_given_back  # type: ignore[method-assign,assignment]
    assert (await _trigger(client)).status_code == 503
    services.runs.trigger = trigger  # type: ignore[method-assign]
    problem(await _trigger(client), 409, "request-in-flight")
    await _age(services, 61)
    assert (await _trigger(client)).status_code == 202


async def test_what_was_committed_is_not_carried_out_again_where_its_answer_was_lost(
    client: AsyncClient, services: Services
) -> None:
    await create(client)

    async def lost(*_: Any) -> None:
        raise StoreUnavailable

    services.idempotency._keep = lost  # type: ignore[method-assign,assignment]
    assert (await _trigger(client)).status_code == 503
    await _age(services, 3600)
    assert problem(await _trigger(client), 409, "answer-lost")["remedy"]
    assert await _count(client) == 1


async def test_what_fails_after_its_commit_is_not_carried_out_again(client: AsyncClient, services: Services) -> None:
    await create(client)
    trigger = services.runs.trigger

    async def fails_late(name: str) -> Any:
        await trigger(name)
        raise StoreUnavailable

    services.runs.trigger = fails_late  # type: ignore[method-assign]
    assert (await _trigger(client)).status_code == 503
    services.runs.trigger = trigger  # type: ignore[method-assign]
    problem(await _trigger(client), 409, "answer-lost")
    assert await _count(client) == 1


async def test_an_answer_that_can_t_be_kept_is_given_all_the_same(
    client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    await create(client)

    async def away(*_: Any) -> None:
        raise StoreUnavailable

    monkeypatch.setattr("app.db.idempotency.IdempotencyRepository.keep", away)
    assert (await _trigger(client)).status_code == 202


async def test_a_request_that_others_took_over_commits_nothing(client: AsyncClient, services: Services) -> None:
    """A process that stood still for longer than a minute, say."""
    await create(client)
    trigger = services.runs.trigger

    async def overtaken(name: str) -> Any:
        await _forget(services)
        return await trigger(name)

    services.runs.trigger = overtaken  # type: ignore[method-assign]
    problem(await _trigger(client), 409, "request-in-flight")
    assert await _count(client) == 0


async def test_a_key_is_kept_for_a_day(client: AsyncClient, services: Services) -> None:
    await create(client)
    await _trigger(client)
    await _age(services, 86_000)
    await Housekeeping(services.database).tend()
    await _trigger(client)
    assert await _count(client) == 1
    await _age(services, 500)
    await _trigger(client)
    assert await _count(client) == 2
    await _age(services, 86_500)
    await Housekeeping(services.database).tend()
    assert await _keys(services) == 0


async def test_what_is_not_of_the_request_does_not_mark_it(services: Services) -> None:
    """Only what the task that carries it out commits."""
    made = JobDefinition(name="other", schedule="@manual", endpoint="http://example.com/")
    with pytest.raises(RuntimeError):
        await services.idempotency.once("key", "print", _fails)
    await services.jobs.create(made)
    assert await _keys(services) == 0


def test_every_post_takes_a_key(api: FastAPI) -> None:
    posts = [
        context.original_route
        for context in iter_route_contexts(api.routes)
        if isinstance(context.original_route, APIRoute) and context.original_route.methods == {"POST"}
    ]
    assert posts
    assert all(isinstance(route, OnceRoute) for route in posts)
    for path in api.openapi()["paths"].values():
        if "post" in path and path["post"]["operationId"] not in NEVER_KEPT:
            assert "Idempotency-Key" in {parameter["name"] for parameter in path["post"]["parameters"]}
            assert "409" in path["post"]["responses"]


async def _fails() -> Any:
    raise RuntimeError


async def _keys(services: Services) -> int:
    async with services.database.read() as connection:
        return int((await connection.exec_driver_sql("SELECT count(*) FROM idempotency_keys")).scalar_one())


async def _forget(services: Services) -> None:
    async with services.database.begin() as connection:
        await connection.execute(update(idempotency_keys).values(begun_at=datetime(2030, 1, 1, tzinfo=UTC)))
