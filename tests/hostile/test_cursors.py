"""Cursors that nobody gave out, on every endpoint that answers in pages."""

from __future__ import annotations

import json
from base64 import b64encode, urlsafe_b64encode
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient

from app.api import cursors
from app.service.services import Services
from tests.api.building import JOB, PAGE_KEY, build_app
from tests.hostile.verdicts import verdict

REFUSED, TAKEN = "422 invalid-cursor cursor", "200"
NO_TEXT = "422 invalid-input cursor"
ID = "0193a1b2-c3d4-8e5f-9a0b-1c2d3e4f5a6b"
AT = "2027-01-01T00:00:00Z/2027-01-03T00:00:00Z"


def coded(what: bytes | str) -> str:
    """Signed, whatever it holds, so that its readers see it."""
    told = what if isinstance(what, bytes) else what.encode("utf-8", "surrogatepass")
    return cursors.signed(PAGE_KEY, told)


def unsigned(what: str) -> str:
    return urlsafe_b64encode(what.encode()).decode().rstrip("=")


MADE_UP = [
    "",
    " ",
    "x",
    "0",
    "-1",
    "null",
    "undefined",
    "[]",
    "=",
    "====",
    "....",
    "a.b.c",
    "%",
    "*",
    "\u00e4\u00f6",
    "\uff37\uff39",
    "\U0001f4a9",
    "\u202e",
    "\x1b[2J",
    "../../../../etc/passwd",
    "' OR '1'='1' --",
    "'; DROP TABLE cron_runs; --",
    "1 UNION SELECT digest FROM api_keys",
    "${jndi:ldap://127.0.0.1/a}",
    "{{7*7}}",
    "a" * 60_000,
    "=" * 20_000,
    "W" * 60_001,
    ID,
    "2027-01-01T00:00:00Z",
    "eyJhbGciOiJub25lIn0.e30.",
    coded(""),
    coded("nonsense"),
    coded("jobs a"),
    coded(b"\xff\xfe\xfd"),
    coded(b"\x80\x04]\x94."),
    coded(b"\x1f\x8b\x08\x00"),
    coded("\0" * 1000),
    coded("\ud800"),
    coded("{}"),
    coded("[]"),
    coded("[[]]"),
    coded("0"),
    coded("null"),
    coded("true"),
    coded('"jobs"'),
    coded('"ab"'),
    coded("NaN"),
    coded("1e400"),
    coded("1" * 5000),
    coded("[" * 10_000),
    coded("[" * 10_000 + "]" * 10_000),
    coded('{"a":' * 7_000 + "1" + "}" * 7_000),
    coded('{"jobs": "a"}'),
    coded('{"kind": "jobs", "key": "a"}'),
    coded('["jobs"]'),
    coded('["jobs", "a", "b"]'),
    coded('["jobs" "a"]'),
    coded('["jobs", "a",]'),
    coded("['jobs', 'a']"),
    coded('["jobs", "a"] x'),
    coded('["JOBS", "a"]'),
    coded('["jobs ", "a"]'),
    coded('["nothing", "1"]'),
    coded('["", ""]'),
    coded("[null, null]"),
    coded('[["jobs"], "a"]'),
    coded('[{"jobs": 1}, "a"]'),
    coded(f'["{"jobs" * 10_000}", "a"]'),
    b64encode(b'["jobs",  "\xc3\xbf\xc3\xbf"').decode(),
]
"""Refused everywhere, whatever the page is of."""

KINDS = {
    "jobs": "a",
    "calendars": "a",
    "limits": "a",
    "secrets": "a",
    "namespaces": "a",
    "keys": ID,
    "audit": "5",
    "runs": ID,
    "spans": "5",
    "entries": "5",
    "versions": "5",
    "instants": "1893456000000000",
    "backfills": ID,
    "attempts": "5",
    "replicas": f"1893456000000000 {ID}",
    "stats": ID,
}
"""Kinds of pages, and a key that one may end with."""

NAMES: list[Any] = ["a\0", "\ud800", 1, 1.5, True, None, [], ["a"], {}, {"a": "b"}]
NUMBERS: list[Any] = [
    "",
    " ",
    "x",
    "-1",
    "1e9",
    "1.5",
    "0x10",
    "NaN",
    "Infinity",
    "9223372036854775808",
    "9" * 5000,
    "'",
]
NUMBERS += ["1 OR 1=1", "\0", "1\0", "\ud800", -1, 2**63, 10**400, float("nan"), None, [], [1], {}]
IDS: list[Any] = ["", "x", ID[:-1], f"{ID}0", "g" * 32, "' OR 1=1 --", "\0" * 32, "\ud800", 1, True, None, [], [ID], {}]
STARTS: list[Any] = [
    "",
    " ",
    ID,
    f"1 {ID[1:]}",
    f"-1 {ID}",
    f"x {ID}",
    f"1{ID}",
    "1 ",
    f"4102444800000000 {ID}",
    1,
    None,
    [],
]
KEYS = {
    **dict.fromkeys(("jobs", "calendars", "limits", "secrets", "namespaces"), NAMES),
    **dict.fromkeys(("audit", "spans", "entries"), NUMBERS),
    **{kind: [*NUMBERS, "2147483648", 2**31] for kind in ("versions", "attempts")},
    **dict.fromkeys(("keys", "stats"), IDS),
    **{kind: [*IDS, "ffffffff-ffff-8fff-bfff-ffffffffffff"] for kind in ("runs", "backfills")},
    "instants": [*NUMBERS, "4102444800000000", "9223372036854775807"],
    "replicas": STARTS,
}
"""Keys that none of the pages of a kind can end with."""


@pytest.fixture
async def paths(services: Services, admin: AsyncClient) -> dict[str, str]:
    """Every page that there is, with the kind of its cursors; most of them have two items or more."""
    for name in ("nightly", "other"):
        job = (await admin.post("/v1/jobs", json=JOB | {"name": name})).json()
        await admin.patch(f"/v1/jobs/{name}", json={"description": "changed"})
        run = (await admin.post(f"/v1/jobs/{name}/trigger")).json()
        await admin.put(f"/v1/calendars/{name}", json={})
        await admin.put(f"/v1/limits/{name}", json={})
        past = {"since": "2025-01-01T00:00:00Z", "until": "2025-01-03T00:00:00Z", "only_missing": False}
        await admin.post(f"/v1/jobs/{name}/backfill", json=past)
    await services.keys.create("other", frozenset())
    return {
        "/v1/jobs": "jobs",
        "/v1/jobs/nightly/runs": "runs",
        "/v1/jobs/nightly/spans": "spans",
        "/v1/jobs/nightly/versions": "versions",
        f"/v1/jobs/nightly/explain?at={AT}": "instants",
        f"/v1/explain?job_id={UUID(job['id'])}&at={AT}": "instants",
        f"/v1/versions?job_id={UUID(job['id'])}": "versions",
        "/v1/runs": "runs",
        f"/v1/runs/{UUID(run['id'])}/attempts": "attempts",
        "/v1/backfills": "backfills",
        "/v1/calendars": "calendars",
        "/v1/limits": "limits",
        "/v1/secrets": "secrets",
        "/v1/namespaces": "namespaces",
        "/v1/keys": "keys",
        "/v1/audit": "audit",
        "/v1/entries": "entries",
        "/v1/replicas": "replicas",
        "/v1/stats": "stats",
    }


def with_more(path: str, **more: str) -> str:
    return f"{path}{'&' if '?' in path else '?'}{urlencode(more)}"


async def asked(admin: AsyncClient, path: str, cursor: str) -> str:
    return await verdict(admin, "GET", with_more(path, cursor=cursor))


async def test_every_page_is_among_them(services: Services, paths: dict[str, str]) -> None:
    app: FastAPI = build_app(services)
    paged = {
        path
        for path, item in app.openapi()["paths"].items()
        if "cursor" in {each["name"] for each in item.get("get", {}).get("parameters", [])}
    }
    assert len(paged) == len(paths)
    assert set(paths.values()) == KINDS.keys()


async def test_what_nobody_gave_out_is_refused_everywhere(admin: AsyncClient, paths: dict[str, str]) -> None:
    found = {(path, cursor[:40]): await asked(admin, path, cursor) for path in paths for cursor in MADE_UP}
    assert {each: said for each, said in found.items() if said != REFUSED} == {}
    for path in paths:
        assert await asked(admin, path, coded('["jobs", "a"]') + "\0") == NO_TEXT


async def test_what_was_signed_by_nobody_or_by_others_is_refused(admin: AsyncClient, paths: dict[str, str]) -> None:
    for path, kind in paths.items():
        told = json.dumps([kind, KINDS[kind]])
        assert await asked(admin, path, coded(told)) == TAKEN, path
        for cursor in (unsigned(told), unsigned("x" * 16 + told), cursors.signed(b"theirs", told.encode())):
            assert await asked(admin, path, cursor) == REFUSED, path


async def test_a_cursor_of_one_kind_is_none_of_another(admin: AsyncClient, paths: dict[str, str]) -> None:
    made_up = {kind: coded(json.dumps([kind, key])) for kind, key in KINDS.items()}
    found = {
        (path, other): await asked(admin, path, cursor)
        for path, kind in paths.items()
        for other, cursor in made_up.items()
        if other != kind
    }
    assert {each: said for each, said in found.items() if said != REFUSED} == {}


async def test_a_key_that_no_page_ends_with_is_refused(admin: AsyncClient, paths: dict[str, str]) -> None:
    found = {
        (path, str(key)[:40]): await asked(admin, path, coded(json.dumps([kind, key], ensure_ascii=False)))
        for path, kind in paths.items()
        for key in KEYS[kind]
    }
    assert {each: said for each, said in found.items() if said != REFUSED} == {}


async def test_a_cursor_that_was_bent_leads_nowhere_or_to_a_page(admin: AsyncClient, paths: dict[str, str]) -> None:
    found, bent = {}, 0
    for path in paths:
        given = (await admin.get(with_more(path, limit="1"))).json()["next_cursor"]
        if given is None:
            continue
        bent += 1
        assert await asked(admin, path, given) == TAKEN
        for cursor in _bent(given):
            found[path, cursor] = await asked(admin, path, cursor)
    assert bent > 9
    assert {each: said for each, said in found.items() if said not in (TAKEN, REFUSED)} == {}


def _bent(cursor: str) -> list[str]:
    """Shorter ones, longer ones, and some with one character changed."""
    places = range(0, len(cursor), 7)
    cut = [cursor[:place] for place in places]
    flipped = [cursor[:place] + chr(ord(cursor[place]) ^ 1) + cursor[place + 1 :] for place in places]
    return [*cut, *flipped, cursor + "A", cursor * 2, cursor[::-1], cursor.swapcase(), f" {cursor} ", f"{cursor}=="]
