"""Queries, headers and small bodies: what is not meant is refused, and never guessed."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from urllib.parse import quote

import pytest
from httpx2 import AsyncClient

from tests.api.building import JOB
from tests.hostile.others import bodies
from tests.hostile.questions import DRY_RUNS, FILTERS, IF_MATCHES, LIMITS, ONCE_KEYS, UNKNOWN
from tests.hostile.verdicts import stored, verdict

PAGES = (
    "jobs",
    "jobs/old/runs",
    "jobs/old/spans",
    "jobs/old/versions",
    "runs",
    "backfills",
    "calendars",
    "limits",
    "keys",
    "audit",
    "entries",
    "replicas",
    "stats",
)
WRITES = [
    ("POST", "/v1/jobs", JOB | {"name": "new"}),
    ("PUT", "/v1/jobs/old", JOB | {"name": "old"}),
    ("PATCH", "/v1/jobs/old", {"description": "a"}),
]
INJECTED = (
    "' OR '1'='1",
    "'; DROP TABLE cron_jobs; --",
    "%' OR name LIKE '%",
    "a%",
    "_",
    "\\",
    "\\'",
    "$1",
    ":a",
    "?",
    "{0}",
)


@pytest.fixture
async def client(admin: AsyncClient) -> AsyncIterator[AsyncClient]:
    """With one of each; whatever the test does, nothing of it stays."""
    await admin.put("/v1/jobs/old", json=JOB | {"name": "old", "labels": {"a": "b"}})
    await admin.put("/v1/calendars/old", json={})
    await admin.put("/v1/limits/old", json={})
    before = await stored(admin)
    yield admin
    assert await stored(admin) == before


async def test_no_page_has_so_many(client: AsyncClient) -> None:
    found = {
        (page, limit[:20]): await verdict(client, "GET", f"/v1/{page}", params={"limit": limit})
        for page in PAGES
        for limit in LIMITS
    }
    assert {each: said for each, said in found.items() if said != "422 invalid-input limit"} == {}


async def test_what_is_not_asked_for_is_not_passed_over(client: AsyncClient) -> None:
    found = {(page, query): await verdict(client, "GET", f"/v1/{page}?{query}") for page in PAGES for query in UNKNOWN}
    wrong = {each: said for each, said in found.items() if said != f"422 invalid-input {UNKNOWN[each[1]]}"}
    assert wrong == {}


async def test_a_bad_question_is_told_by_its_parameter(client: AsyncClient) -> None:
    found = {path: await verdict(client, "GET", path) for path in FILTERS}
    assert {path[:80]: said for path, said in found.items() if said != f"422 invalid-input {FILTERS[path]}"} == {}
    for told in ("-1", "x", "1e400", "9" * 30, "\x00"):
        headers = [("Last-Event-ID", told.encode())]
        assert (await verdict(client, "GET", "/v1/events", headers=headers)).startswith("422 invalid-input ")


async def test_a_text_that_is_looked_for_is_a_text(client: AsyncClient) -> None:
    for text in INJECTED:
        for query in ({"q": text}, {"label": f"a:{text}"}):
            answer = await client.get("/v1/jobs", params=query)
            assert (answer.status_code, answer.json()["items"]) == (200, []), query
        for path in ("/v1/backfills", "/v1/stats", "/v1/audit"):
            name = "subject" if path == "/v1/audit" else "job"
            said = await verdict(client, "GET", path, params={name: text})
            assert said in ("200", "404 job-not-found"), (path, text, said)
        assert await verdict(client, "GET", f"/v1/jobs/{quote(text, safe='')}") == "404 job-not-found"


async def test_whether_it_is_in_earnest_is_said_plainly(client: AsyncClient) -> None:
    found = {
        (method, said): await verdict(client, method, path, params={"dry_run": said}, json=body)
        for method, path, body in WRITES
        for said in DRY_RUNS
    }
    assert {each: said for each, said in found.items() if said != "422 invalid-input dry_run"} == {}
    for method, path, body in WRITES:
        assert await verdict(client, method, path, params={"dry_run": "true"}, json=body) == "200"


async def test_a_question_that_a_change_does_not_know_is_not_passed_over(
    client: AsyncClient, admin: AsyncClient
) -> None:
    before = await stored(admin)
    changes: list[tuple[str, str, object]] = [
        *WRITES,
        ("DELETE", "/v1/jobs/old", None),
        ("POST", "/v1/jobs/old/trigger", None),
    ]
    changes += [("PUT", "/v1/limits/new", {}), ("POST", "/v1/scheduler/pause", None), ("GET", "/v1/jobs/old", None)]
    changes += [("POST", "/v1/keys", {"name": "new", "scopes": ["admin"]}), ("PUT", "/v1/namespaces/new", {})]
    for name in ("dryrun", "dry-run", "DRY_RUN", "force", "namespace", "_method", "a\0", "access_token"):
        for method, path, body in changes:
            said = await verdict(client, method, path, params={name: "true"}, json=body)
            assert said.startswith("422 invalid-input "), (method, path, name, said)
    assert await stored(client) == before


async def test_an_edit_that_names_no_version_is_not_made(client: AsyncClient) -> None:
    found: dict[tuple[str, ...], str] = {}
    for tag in IF_MATCHES:
        headers = [("If-Match", tag.encode())]
        for method, path, body in WRITES[1:]:
            found[method, tag[:40]] = await verdict(client, method, path, json=body, headers=headers)
        for path in ("/v1/jobs/old", "/v1/calendars/old"):
            found["DELETE", path, tag[:40]] = await verdict(client, "DELETE", path, headers=headers)
        found["pause", tag[:40]] = await verdict(client, "POST", "/v1/jobs/old/pause", headers=headers)
    assert {each: said for each, said in found.items() if said != "412 version-mismatch"} == {}


async def test_a_name_of_a_request_is_one_that_can_be_told(client: AsyncClient) -> None:
    found = {}
    for key in ONCE_KEYS:
        headers = [("Idempotency-Key", key.encode())]
        for path, body in (
            ("/v1/jobs", JOB | {"name": "new"}),
            ("/v1/jobs/old/trigger", None),
            ("/v1/calendars", {"name": "new"}),
        ):
            found[path, key[:20]] = await verdict(client, "POST", path, json=body, headers=headers)
    assert {each: said for each, said in found.items() if said != "422 invalid-input Idempotency-Key"} == {}


async def test_a_bad_field_of_any_body_is_named(client: AsyncClient) -> None:
    own = (await client.get("/v1/keys")).json()["items"][0]["id"]
    headers = {"Content-Type": "application/json"}
    found = [
        (method, path, field, said[:200])
        for method, path, body, field in bodies()
        if (said := await verdict(client, method, path.replace("ID", own), content=json.dumps(body), headers=headers))
        != f"422 invalid-input {field}"
    ]
    assert found == []
