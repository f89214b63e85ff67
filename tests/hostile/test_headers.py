"""Headers that a stranger may want a call to carry."""

from __future__ import annotations

from typing import Any

import pytest
from httpx2 import AsyncClient

from app.target.address import Targets
from app.target.reach import Reach
from tests.hostile.service import serving
from tests.servers.sink import Sink

JOB: dict[str, Any] = {"schedule": "@manual", "endpoint": "http://good.example/"}
REFUSED: list[dict[str, Any]] = [
    {"X": "a\r\nInjected: b"},
    {"X": "a\nInjected: b"},
    {"X": "a\rb"},
    {"X": "a\x00b"},
    {"X": "a\x1b[2J"},
    {"X": "a\x7fb"},
    {"X": "\u010a\u010dInjected: b"},  # whose low bytes are a line feed and a carriage return
    {"X": "caf\u00e9"},
    {"X": "\u2028"},
    {"X\r\nInjected": "b"},
    {"X ": "a"},
    {" X": "a"},
    {"X:Y": "a"},
    {"": "a"},
    {"X\x00": "a"},
    {"\u212aost": "a"},
    {"Host": "127.0.0.1"},
    {"hOST": "127.0.0.1"},
    {"Content-Length": "0"},
    {"Transfer-Encoding": "chunked"},
    {"transfer-encoding": "identity"},
    {"Connection": "X-Api-Key"},
    {"Keep-Alive": "timeout=1"},
    {"Proxy-Authorization": "Basic eA=="},
    {"Proxy-Connection": "keep-alive"},
    {"TE": "trailers"},
    {"Trailer": "X"},
    {"Upgrade": "h2c"},
    {"HTTP2-Settings": "AAMAAABkAAQAAP__"},
    {"Expect": "100-continue"},
    {"Accept-Encoding": "gzip"},
    {"Idempotency-Key": "mine"},
    {"Cronledger-Job": "other"},
    {"webhook-id": "mine"},
    {"traceparent": "00-0-0-0"},
    {"A": "1", "a": "2"},
    {"A" * 8193: "a"},
    {"A": "a" * 8193},
    {f"H-{n}": "a" for n in range(65)},
    {f"H-{n}": "a" * 1000 for n in range(10)},
    {"A": None},
    {"A": 1},
    {"A": ["a"]},
]
TAKEN = {"X-Api-Key": "a b\tc", "Authorization": "Bearer x", "Cookie": "a=b", "X": "", "!#$%&'*+-.^_`|~9": "~"}


async def refused(client: AsyncClient, headers: dict[str, Any]) -> str | None:
    """What is wrong with the answer, of which nothing should be."""
    answer = await client.post("/v1/jobs", json=JOB | {"name": "new", "headers": headers})
    named = answer.status_code == 422 and any("headers" in each["field"] for each in answer.json()["errors"])
    return None if named else f"{answer.status_code} {answer.text[:300]}"


async def test_what_would_frame_or_forge_a_message_is_no_header(database_url: str) -> None:
    async with serving(database_url, Reach(Targets.ANY)) as service:
        wrong = [(headers, fault) for headers in REFUSED if (fault := await refused(service.client, headers))]
    assert wrong == []


async def test_all_others_arrive_as_they_are(sqlite_url: str, sink: Sink) -> None:
    async with serving(sqlite_url, Reach(Targets.ANY)) as service:
        await service.run({"job": {"endpoint": f"{sink.url}/a", "headers": TAKEN}})
    [call] = sink.calls
    assert {name: call.headers.getall(name) for name in TAKEN} == {name: [value] for name, value in TAKEN.items()}


@pytest.mark.parametrize("headers", [{"X": "a\r\nInjected: b"}, {"X": "a\x00b"}, {"X\r\nInjected": "b"}])
async def test_what_came_into_the_store_by_another_way_is_not_sent(
    sqlite_url: str, sink: Sink, headers: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.service.validation.check_headers", lambda _: None)
    monkeypatch.setattr("app.target.headers._fault", lambda *_: None)
    async with serving(sqlite_url, Reach(Targets.ANY)) as service:
        runs = await service.run({"job": {"endpoint": f"{sink.url}/a", "headers": headers}})
    assert runs["job"]["state"] == "failed"
    assert sink.calls == []
