from __future__ import annotations

from base64 import urlsafe_b64encode
from typing import Any

import pytest
from httpx2 import AsyncClient

from app.api import cursors
from tests.api.building import PAGE_KEY, create, problem


async def names(client: AsyncClient, query: str) -> list[str]:
    answer = await client.get(f"/v1/jobs?{query}")
    assert answer.status_code == 200, answer.text
    return [job["name"] for job in answer.json()["items"]]


async def walk(client: AsyncClient, path: str) -> list[dict[str, Any]]:
    """Every item, by following the links."""
    items: list[dict[str, Any]] = []
    url: str | None = path
    while url is not None:
        answer = await client.get(url)
        page = answer.json()
        items += page["items"]
        url = answer.links["next"]["url"] if "next" in answer.links else None
        assert (url is None) == (page["next_cursor"] is None)
    return items


async def test_pages_lead_through_all_jobs_by_name(client: AsyncClient) -> None:
    made = sorted(f"job-{number}" for number in range(7))
    for name in reversed(made):
        await create(client, name=name)
    for limit in (1, 3, 7, 8, 1000):
        assert [job["name"] for job in await walk(client, f"/v1/jobs?limit={limit}")] == made


async def test_jobs_made_and_deleted_meanwhile_shift_no_page(client: AsyncClient) -> None:
    for name in "bdfh":
        await create(client, name=name)
    first = await client.get("/v1/jobs?limit=2")
    await create(client, name="a")
    await create(client, name="e")
    await client.delete("/v1/jobs/d")
    second = await client.get("/v1/jobs", params={"limit": 2, "cursor": first.json()["next_cursor"]})
    assert [job["name"] for job in first.json()["items"]] == ["b", "d"]
    assert [job["name"] for job in second.json()["items"]] == ["e", "f"]


async def test_filters_stay_from_page_to_page(client: AsyncClient) -> None:
    for number in range(6):
        await create(client, name=f"job-{number}", labels={"odd": str(number % 2), "team": "a&b c"})
    found = await walk(client, "/v1/jobs?limit=2&label=odd:1&label=team:a%26b%20c")
    assert [job["name"] for job in found] == ["job-1", "job-3", "job-5"]


async def test_a_link_has_the_one_cursor_that_counts(client: AsyncClient) -> None:
    for name in "abc":
        await create(client, name=name)
    second = await client.get((await client.get("/v1/jobs?limit=1")).links["next"]["url"])
    assert second.links["next"]["url"].count("cursor=") == 1


async def test_jobs_are_filtered(client: AsyncClient) -> None:
    await create(client, name="alpha", labels={"team": "billing", "env": "prod"})
    await create(client, name="Beta_1", labels={"team": "billing", "note": "a:b"}, enabled=False)
    await create(client, name="gamma", labels={"team": ""})
    assert await names(client, "enabled=true") == ["alpha", "gamma"]
    assert await names(client, "enabled=false") == ["Beta_1"]
    assert set(await names(client, "label=team:billing")) == {"alpha", "Beta_1"}
    assert await names(client, "label=team:billing&label=env:prod") == ["alpha"]
    assert await names(client, "label=team:billing&label=team:billing&enabled=false") == ["Beta_1"]
    assert await names(client, "label=team:") == ["gamma"]
    assert await names(client, "label=note:a:b") == ["Beta_1"]
    assert await names(client, "label=none:x") == []
    assert await names(client, "q=BETA") == ["Beta_1"]
    assert await names(client, "q=a_1") == ["Beta_1"]
    assert await names(client, "q=%25") == []


async def test_an_empty_page_leads_nowhere(client: AsyncClient) -> None:
    answer = await client.get("/v1/jobs")
    assert answer.json() == {"items": [], "next_cursor": None}
    assert "link" not in answer.headers


def cursor_of(text: str) -> str:
    """Signed, whatever it holds."""
    return cursors.signed(PAGE_KEY, text.encode("utf-8", "surrogatepass"))


def unsigned(text: str) -> str:
    return urlsafe_b64encode(text.encode()).decode().rstrip("=")


FORGED = [
    "",
    "x",
    "====",
    "ä",
    "a b",
    cursor_of("nonsense"),
    cursor_of("[" * 10_000),
    cursor_of("1" * 5_000),
    cursor_of("{}"),
    cursor_of("[]"),
    cursor_of('["jobs"]'),
    cursor_of('["jobs", "a", "b"]'),
    cursor_of('["jobs", 1]'),
    cursor_of('["jobs", null]'),
    cursor_of('["jobs", "a\\u0000"]'),
    cursor_of('["jobs", "\\ud800"]'),
    cursor_of('["runs", "x"]'),
    cursor_of('["runs", "ffffffff-ffff-8fff-bfff-ffffffffffff"]'),
    cursor_of('["spans", "x"]'),
    cursor_of('["spans", "-1"]'),
    cursor_of('["spans", "9223372036854775808"]'),
    cursor_of('["entries", "1e9"]'),
    cursor_of('["entries", [1]]'),
    cursor_of('[["jobs"], "a"]'),
]


@pytest.mark.parametrize(
    "path",
    [
        "/v1/jobs",
        "/v1/runs",
        "/v1/jobs/nightly/runs",
        "/v1/jobs/nightly/spans",
        "/v1/jobs/nightly/versions",
        "/v1/entries",
    ],
)
async def test_a_forged_cursor_is_refused(client: AsyncClient, path: str) -> None:
    await create(client)
    for cursor in FORGED:
        said = problem(await client.get(path, params={"cursor": cursor}), 422, "invalid-cursor")
        assert said["field"] == "cursor"


async def test_a_cursor_that_was_not_signed_here_is_refused(client: AsyncClient) -> None:
    await create(client)
    told = '["jobs", "a"]'
    good = cursor_of(told)
    assert (await client.get("/v1/jobs", params={"cursor": good})).status_code == 200
    changed = good[:-3] + ("A" if good[-3] != "A" else "B") + good[-2:]
    foreign = cursors.signed(b"another key", told.encode())
    for cursor in (unsigned(told), unsigned("x" * 16 + told), changed, foreign, good[:-4], f"{good}AAAA"):
        problem(await client.get("/v1/jobs", params={"cursor": cursor}), 422, "invalid-cursor")


async def test_a_cursor_of_one_kind_of_page_is_none_of_another(client: AsyncClient) -> None:
    problem(
        await client.get("/v1/jobs", params={"cursor": cursors.encode(PAGE_KEY, "entries", 1)}), 422, "invalid-cursor"
    )
    problem(
        await client.get("/v1/entries", params={"cursor": cursors.encode(PAGE_KEY, "jobs", "1")}), 422, "invalid-cursor"
    )
