from __future__ import annotations

import pytest
from httpx2 import AsyncClient, Response

from app.db.engine import Database
from tests.api.building import JOB, create, problem

PATH = "/v1/jobs/nightly"


async def etag(client: AsyncClient) -> str:
    return str((await client.get(PATH)).headers["etag"])


async def edit(client: AsyncClient, method: str, if_match: str) -> Response:
    """A change of each kind, bound to the version."""
    suffix = {"PAUSE": "/pause", "RESUME": "/resume"}.get(method, "")
    body = {"PUT": JOB | {"description": "x"}, "PATCH": {"description": "x"}}.get(method)
    verb = "POST" if suffix else method
    return await client.request(verb, PATH + suffix, json=body, headers={"If-Match": if_match})


async def test_every_answer_of_a_job_carries_the_same_etag(client: AsyncClient) -> None:
    made = await client.post("/v1/jobs", json=JOB)
    assert made.headers["etag"] == await etag(client)
    for method, path, body in [
        ("PUT", PATH, JOB | {"description": "x"}),
        ("PATCH", PATH, {"description": "y"}),
        ("POST", f"{PATH}/pause", None),
        ("POST", f"{PATH}/resume", None),
    ]:
        answer = await client.request(method, path, json=body)
        assert answer.headers["etag"] == await etag(client)


async def test_who_has_the_answer_already_gets_none(client: AsyncClient) -> None:
    await create(client)
    tag = await etag(client)
    for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        answer = await client.get(PATH, headers={"If-None-Match": known})
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", tag)


async def test_any_other_answer_is_sent_whole(client: AsyncClient) -> None:
    await create(client)
    tag = await etag(client)
    for other in ('"1"', '"1.0"', tag[:-2] + '0"' if tag[-2] != "0" else tag[:-2] + '1"', "", "nonsense"):
        answer = await client.get(PATH, headers={"If-None-Match": other})
        assert answer.status_code == 200


async def test_the_etag_tells_answers_of_one_version_apart(client: AsyncClient, database: Database) -> None:
    await create(client)
    before = await etag(client)
    async with database.begin() as connection:
        await connection.exec_driver_sql("UPDATE cron_jobs SET last_error = 'refused'")
    after = await etag(client)
    assert before != after
    assert before.split(".")[0] == after.split(".")[0]
    assert (await client.get(PATH, headers={"If-None-Match": before})).status_code == 200


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "PAUSE"])
@pytest.mark.parametrize("shape", ["{}", "W/{}", '"9.abc", {}', "*", '"1.of an answer before a run"'])
async def test_an_edit_of_the_version_that_was_read_is_made(client: AsyncClient, method: str, shape: str) -> None:
    await create(client)
    answer = await edit(client, method, shape.format(await etag(client)))
    assert answer.status_code == (204 if method == "DELETE" else 200)


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "PAUSE", "RESUME"])
@pytest.mark.parametrize("if_match", ['"2.abc"', '"2.a", "3.b"', '"abc"', "1", "nonsense", ""])
async def test_an_edit_of_another_version_is_refused(client: AsyncClient, method: str, if_match: str) -> None:
    await create(client)
    before = await etag(client)
    said = problem(await edit(client, method, if_match), 412, "version-mismatch")
    assert "If-Match" in said["detail"]
    assert await etag(client) == before


@pytest.mark.parametrize("if_match", ["*", '"1.abc"', '"1.a", "2.b"'])
async def test_a_put_that_expects_a_job_creates_none(client: AsyncClient, if_match: str) -> None:
    problem(await edit(client, "PUT", if_match), 412, "version-mismatch")
    problem(await client.get(PATH), 404, "job-not-found")


@pytest.mark.parametrize("method", ["PATCH", "DELETE", "PAUSE", "RESUME"])
async def test_a_job_that_is_gone_is_not_found_by_who_saw_a_version(client: AsyncClient, method: str) -> None:
    problem(await edit(client, method, '"1.abc"'), 404, "job-not-found")
