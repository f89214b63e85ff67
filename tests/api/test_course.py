from __future__ import annotations

from httpx2 import AsyncClient

from tests.api.building import create, problem


async def names(client: AsyncClient, query: str) -> list[str]:
    answer = await client.get(f"/v1/jobs?{query}")
    assert answer.status_code == 200, answer.text
    return [job["name"] for job in answer.json()["items"]]


async def test_a_job_says_whether_it_has_run_its_course(client: AsyncClient) -> None:
    job = await create(client, max_runs=1)
    assert (job["completed"], job["runs_made"], job["max_runs"]) == (False, 0, 1)


async def test_completed_jobs_are_found_by_a_filter(client: AsyncClient) -> None:
    await create(client, name="one")
    assert await names(client, "completed=false") == ["one"]
    assert await names(client, "completed=true") == []
    assert await names(client, "completed=false&enabled=false") == []
    problem(await client.get("/v1/jobs?completed=perhaps"), 422, "invalid-input")


async def test_answers_to_clock_changes_are_kept_and_asked_by_next_times(client: AsyncClient) -> None:
    start = {"starts_at": "2027-10-30T12:00:00Z", "schedule": "30 2 * * *", "timezone": "Europe/Berlin"}
    await create(client, name="both", dst_overlap="both", **start)
    answer = await client.get("/v1/jobs/both/next?count=3")
    assert [each["at"] for each in answer.json()["items"]] == [
        "2027-10-31T00:30:00Z",
        "2027-10-31T01:30:00Z",
        "2027-11-01T01:30:00Z",
    ]
    await client.patch("/v1/jobs/both", json={"dst_overlap": "last"})
    answer = await client.get("/v1/jobs/both/next?count=1")
    assert [each["at"] for each in answer.json()["items"]] == ["2027-10-31T01:30:00Z"]
