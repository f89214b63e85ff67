"""Bodies of requests: each is read as it stands, or refused, and nothing of a refused one is kept."""

from __future__ import annotations

import gzip
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from httpx2 import AsyncClient

from tests.api.building import JOB
from tests.hostile.bodies import (
    KEPT,
    LARGE,
    MALFORMED,
    MOST,
    NO_BODY,
    NO_JSON,
    NO_TYPE,
    NOT_OBJECTS,
    TYPES,
    UNSENT,
    padded,
    with_field,
)
from tests.hostile.values import FIELDS, HARMLESS, LABELS, NAMES, wrong_types
from tests.hostile.verdicts import stored, verdict

IS_JSON = {"Content-Type": "application/json"}
NEEDED = [
    ("POST", "/v1/jobs"),
    ("PUT", "/v1/jobs/old"),
    ("PATCH", "/v1/jobs/old"),
    ("POST", "/v1/jobs/old/backfill"),
    ("POST", "/v1/calendars"),
    ("PUT", "/v1/calendars/old"),
    ("PUT", "/v1/limits/old"),
    ("POST", "/v1/keys"),
    ("PATCH", "/v1/keys/0193a1b2-c3d4-7e5f-9a0b-1c2d3e4f5a6b"),
    ("POST", "/v1/schedules/preview"),
    ("POST", "/v1/callbacks/0193a1b2-c3d4-8e5f-9a0b-1c2d3e4f5a6b/guess"),
]
"""What takes an object, and nothing else."""

PERHAPS = [
    ("POST", "/v1/jobs/old/pause"),
    ("POST", "/v1/runs/0193a1b2-c3d4-8e5f-9a0b-1c2d3e4f5a6b/cancel"),
    ("POST", "/v1/backfills/0193a1b2-c3d4-8e5f-9a0b-1c2d3e4f5a6b/cancel"),
]
"""What may do without."""

WRITES = [
    ("POST", "/v1/jobs", JOB | {"name": "new"}),
    ("PUT", "/v1/jobs/old", JOB | {"name": "old"}),
    ("PATCH", "/v1/jobs/old", {}),
]


@pytest.fixture
async def client(admin: AsyncClient) -> AsyncIterator[AsyncClient]:
    """With one of each; whatever the test does, nothing of it stays."""
    await admin.put("/v1/jobs/old", json=JOB | {"name": "old"})
    await admin.put("/v1/calendars/old", json={})
    await admin.put("/v1/limits/old", json={})
    before = await stored(admin)
    yield admin
    assert await stored(admin) == before


async def sent(client: AsyncClient, method: str, path: str, content: Any, **headers: str) -> str:
    """Bytes as they are, all else as JSON that may hold what no encoder would write."""
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    return await verdict(client, method, path, content=raw, headers=IS_JSON | headers)


async def test_what_is_no_json_is_refused_everywhere(client: AsyncClient) -> None:
    found = {
        (method, path, raw[:40]): await sent(client, method, path, raw)
        for method, path in NEEDED + PERHAPS
        for raw in MALFORMED
    }
    assert len(MALFORMED) > 60
    assert {each: said for each, said in found.items() if said != NO_JSON} == {}


async def test_what_is_no_object_is_refused_everywhere(client: AsyncClient) -> None:
    found = {
        (method, path, raw[:40]): await sent(client, method, path, raw)
        for method, path in NEEDED + PERHAPS
        for raw in NOT_OBJECTS
    }
    found |= {
        (method, path, raw): await sent(client, method, path, raw) for method, path in NEEDED for raw in (b"", b"null")
    }
    assert {each: said for each, said in found.items() if said != NO_BODY} == {}


async def test_what_is_said_of_a_body_is_read_strictly(client: AsyncClient) -> None:
    whole = json.dumps(JOB | {"name": "new"}).encode()
    found = {
        kind: await verdict(
            client, "POST", "/v1/jobs?dry_run=true", content=whole, headers=[("Content-Type", kind.encode())]
        )
        for kind in TYPES
    }
    assert {kind[:60]: said for kind, said in found.items() if said != TYPES[kind]} == {}
    assert await verdict(client, "POST", "/v1/jobs", content=whole) == NO_TYPE
    assert await verdict(client, "POST", "/v1/jobs", files={"name": b"new"}) == NO_TYPE
    for coding in ("gzip", "x-gzip", "deflate", "br", "zstd", "identity, gzip"):
        packed = gzip.compress(whole)
        assert await sent(client, "POST", "/v1/jobs", packed, **{"Content-Encoding": coding}) == NO_JSON


async def test_a_body_has_256_kib_and_not_one_byte_more(client: AsyncClient) -> None:
    async def bit_by_bit(whole: bytes) -> AsyncIterator[bytes]:
        for start in range(0, len(whole), 50_000):
            yield whole[start : start + 50_000]

    path = "/v1/jobs?dry_run=true"
    assert await sent(client, "POST", path, padded(MOST)) == "200"
    assert await verdict(client, "POST", path, content=bit_by_bit(padded(MOST)), headers=IS_JSON) == "200"
    assert await sent(client, "POST", path, padded(MOST + 1)) == LARGE
    assert await verdict(client, "POST", path, content=bit_by_bit(padded(MOST + 1)), headers=IS_JSON) == LARGE
    for length in ("0", "5", "-1", "+5", "5, 5", "5 5", "0x5", "x", ""):
        assert await sent(client, "POST", path, padded(MOST + 1), **{"Content-Length": length}) == LARGE
    for length in (str(MOST + 1), "9" * 30, "9" * 5000):
        assert await sent(client, "POST", path, padded(500), **{"Content-Length": length}) == LARGE
    for method, where in NEEDED + PERHAPS:
        assert await sent(client, method, where, b" " * 10_000_000) == LARGE


async def test_a_value_of_another_type_is_refused_with_its_field(client: AsyncClient) -> None:
    found = [
        (method, field, value, said)
        for field, value in wrong_types()
        for method, path, job in WRITES
        if (said := await sent(client, method, path, job | {field: value})) != f"422 invalid-input {field}"
    ]
    assert found == []


async def test_what_no_field_may_hold_is_refused_with_its_field(client: AsyncClient) -> None:
    table = FIELDS + [({"labels": {key: "a"}}, f"labels.{key}") for key in LABELS]
    found = [
        (method, field[:60], said[:200])
        for changes, field in table
        for method, path, job in WRITES
        if (said := await sent(client, method, path, job | changes)) != f"422 invalid-input {field}"
    ]
    assert found == []


async def test_a_name_is_one_that_can_be_told(client: AsyncClient) -> None:
    found = [
        (path, name[:40], said)
        for name in NAMES
        for path, body in (("/v1/jobs", JOB), ("/v1/calendars", {}))
        if (said := await sent(client, "POST", path, body | {"name": name})) != "422 invalid-input name"
    ]
    for method in ("PUT", "PATCH"):
        for name in NAMES:
            said = await sent(client, method, "/v1/jobs/old", (JOB if method == "PUT" else {}) | {"name": name})
            found += [(method, name[:40], said)] if said != "422 invalid-input name" else []
    assert found == []


async def test_a_body_to_send_is_json_that_can_be_sent(client: AsyncClient) -> None:
    found = {raw[:40]: await sent(client, "POST", "/v1/jobs", with_field("body", raw)) for raw in UNSENT}
    assert {raw: said for raw, said in found.items() if said != NO_BODY} == {}
    for raw in (b"NaN", b"1e400", b'"\\ud800"', b'"a\\u0000"'):
        for field in ("description", "schedule", "timeout_seconds", "labels", "retry", "notify", "enabled"):
            assert await sent(client, "POST", "/v1/jobs", with_field(field, raw)) == f"422 invalid-input {field}"


async def test_what_a_trigger_is_sent_says_nothing(admin: AsyncClient) -> None:
    await admin.post("/v1/jobs", json=JOB)
    assert await sent(admin, "POST", "/v1/jobs/nightly/trigger", b" " * (MOST + 1)) == LARGE
    assert await sent(admin, "POST", "/v1/jobs/none/trigger", b"{") == "404 job-not-found"
    assert (await admin.get("/v1/runs")).json()["items"] == []
    told = [
        *MALFORMED,
        *NOT_OBJECTS,
        b'{"job": "other", "endpoint": "http://evil.example/", "scheduled_for": "2020-01-01"}',
    ]
    assert [raw[:40] for raw in told if await sent(admin, "POST", "/v1/jobs/nightly/trigger", raw) != "202"] == []
    runs = (await admin.get("/v1/runs", params={"limit": 1000})).json()["items"]
    assert {(run["job_name"], run["trigger"], run["scheduled_for"][:4] > "2020") for run in runs} == {
        ("nightly", "manual", True)
    }
    assert len(runs) == len(told)


async def test_texts_are_kept_as_they_are(admin: AsyncClient) -> None:
    for number, text in enumerate(HARMLESS):
        job = JOB | {"name": f"job-{number}", "description": text, "labels": {"a": text}, "body": {text: [text]}}
        assert await verdict(admin, "POST", "/v1/jobs", json=job) == "201", text
        assert await verdict(admin, "PUT", f"/v1/calendars/c-{number}", json={"description": text}) == "201", text
    jobs = {each["name"]: each for each in (await admin.get("/v1/jobs", params={"limit": 1000})).json()["items"]}
    for number, text in enumerate(HARMLESS):
        job = jobs[f"job-{number}"]
        assert (job["description"], job["labels"], job["body"]) == (text, {"a": text}, {text: [text]})
        found = (await admin.get("/v1/jobs", params={"label": f"a:{text}"})).json()["items"]
        assert [each["name"] for each in found] == [job["name"]]
        assert (await admin.get(f"/v1/calendars/c-{number}")).json()["description"] == text


async def test_a_body_to_send_is_kept_as_it_is(admin: AsyncClient) -> None:
    for raw, value in KEPT.items():
        assert await sent(admin, "PUT", "/v1/jobs/new", with_field("body", raw)) in ("200", "201"), raw
        assert (await admin.get("/v1/jobs/new")).json()["body"] == value
    assert await sent(admin, "POST", "/v1/jobs", b"\xef\xbb\xbf" + json.dumps(JOB | {"name": "bom"}).encode()) == "201"
    names = [each["name"] for each in (await admin.get("/v1/jobs")).json()["items"]]
    assert names == ["bom", "new"]
