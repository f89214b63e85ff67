"""What a malicious server answers, through the real API and a real caller: each ends as a run that says so, in time."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest

from app.target.address import Targets
from app.target.reach import Reach
from tests.hostile.malice import (
    HEAD,
    Behaviour,
    body,
    bomb,
    chunked,
    endless,
    flood,
    flood_of_chunks,
    serving_malice,
    silent,
)
from tests.hostile.service import Run, serving

ENDLESS = r"protocol: the target sent \d+ interim answers"
OK, PROTOCOL, TIMEOUT = "ok", "protocol: ", "timeout after 2 s"
ANSWERS: dict[str, tuple[Behaviour, str]] = {
    "silent": (silent, TIMEOUT),
    "closed": (b"", PROTOCOL),
    "no-http": (b"SSH-2.0-OpenSSH_9.2\r\n", PROTOCOL),
    "binary": (bytes(range(256)) * 100, PROTOCOL),
    "http-0.9": (b"<html>hello</html>", PROTOCOL),
    "http-9.9": (b"HTTP/9.9 200 OK\r\n\r\n", PROTOCOL),
    "status-of-letters": (b"HTTP/1.1 2OO OK\r\n\r\n", PROTOCOL),
    "status-negative": (b"HTTP/1.1 -200 OK\r\n\r\n", PROTOCOL),
    "status-huge": (b"HTTP/1.1 99999999999 OK\r\n\r\n", PROTOCOL),
    "status-line-endless": (endless(b"HTTP/1.1 200 ", b"a" * 1000), PROTOCOL),
    "status-of-controls": (b"HTTP/1.1 500 \x1b[2J\x9b31m\r\nContent-Length: 0\r\n\r\n", "status 500"),
    "headers-endless": (endless(HEAD, b"X: a\r\n"), PROTOCOL),
    "headers-many": (HEAD + b"".join(b"X-%d: a\r\n" % n for n in range(1000)) + b"\r\n", PROTOCOL),
    "header-huge": (HEAD + b"X: " + b"a" * 100_000 + b"\r\n\r\n", PROTOCOL),
    "header-endless": (endless(HEAD + b"X: ", b"a" * 1000), PROTOCOL),
    "header-name-endless": (endless(HEAD, b"X" * 1000), PROTOCOL),
    "headers-dripping": (endless(HEAD, b"X: a\r\n", pause=0.1), TIMEOUT),
    "header-with-nul": (HEAD + b"X: a\0b\r\nContent-Length: 0\r\n\r\n", PROTOCOL),
    "header-with-cr": (HEAD + b"X: a\rb\r\nContent-Length: 0\r\n\r\n", PROTOCOL),
    "header-without-colon": (HEAD + b"X\r\n\r\n", PROTOCOL),
    "header-with-space": (HEAD + b"X : a\r\nContent-Length: 0\r\n\r\n", PROTOCOL),
    "interim-endless": (endless(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"), f"{ENDLESS}|{TIMEOUT}"),  # one by one
    "interim-flood": (
        endless(b"", b"HTTP/1.1 103 E\r\n\r\n" * 15_000),
        ENDLESS,
    ),
    "answers-endless": (endless(b"", body(b"ok") * 1000), OK),
    "switching": (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
        "status 101",
    ),
    "length-of-letters": (HEAD + b"Content-Length: ten\r\n\r\n", PROTOCOL),
    "length-negative": (HEAD + b"Content-Length: -1\r\n\r\n", PROTOCOL),
    "length-signed": (HEAD + b"Content-Length: +2\r\n\r\nok", PROTOCOL),
    "length-huge": (HEAD + b"Content-Length: " + b"9" * 1000 + b"\r\n\r\n", PROTOCOL),
    "length-twice": (HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nok", PROTOCOL),
    "length-too-long": (HEAD + b"Content-Length: 100\r\n\r\nok", PROTOCOL),
    "length-too-short": (HEAD + b"Content-Length: 2\r\n\r\nok" + HEAD, OK),
    "length-and-chunks": (
        HEAD + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        PROTOCOL,
    ),
    "chunk-of-letters": (chunked(b"zz\r\n"), PROTOCOL),
    "chunk-negative": (chunked(b"-1\r\n"), PROTOCOL),
    "chunk-huge": (chunked(b"F" * 100 + b"\r\n"), PROTOCOL),
    "chunk-cut": (chunked(b"5\r\nok"), PROTOCOL),
    "chunk-size-endless": (endless(chunked(), b"0"), TIMEOUT),
    "chunk-extension-endless": (endless(chunked(b"2;"), b"a" * 1000), TIMEOUT),
    "trailers-endless": (endless(chunked(b"2\r\nok\r\n0\r\n"), b"X: a\r\n"), PROTOCOL),
    "flood": (flood(), OK),
    "flood-of-chunks": (flood_of_chunks(), OK),
    "drip": (endless(HEAD + b"Content-Length: 1000\r\n\r\n", b"a", pause=0.1), TIMEOUT),
    "drip-of-chunks": (endless(chunked(), b"1\r\na\r\n", pause=0.1), TIMEOUT),
    "bomb-gzip": (bomb("gzip"), OK),
    "bomb-deflate": (bomb("deflate"), OK),
    "coding-unknown": (body(b"ok", b"Content-Encoding: br"), OK),
    "coding-gzip-of-none": (body(b"ok", b"Content-Encoding: gzip"), OK),
    "controls": (body(b"\x1b[2J\x07\x08\x0c\x9b31m\xc2\x9b\x7f"), OK),
    "nuls": (body(b"a\0b\0" * 5000), OK),
    "bidi": (body("\u202etxt.exe\u2066\u200b\ufeff".encode()), OK),
    "surrogates": (body(b"\xed\xa0\x80\xed\xb0\x80"), OK),
    "no-utf-8": (body(b"\xff\xfe" * 5000), OK),
    "html": (body(b"<script>alert(1)</script>", b"Content-Type: text/html"), OK),
    "cookie": (body(b"", b"Set-Cookie: a=b; Domain=.test"), OK),
    "retry-after-huge": (
        b"HTTP/1.1 503 X\r\nRetry-After: 99999999999999999999\r\nContent-Length: 0\r\n\r\n",
        "status 503",
    ),
    "retry-after-date": (
        b"HTTP/1.1 503 X\r\nRetry-After: Fri, 31 Dec 9999 23:59:59 -2359\r\nContent-Length: 0\r\n\r\n",
        "status 503",
    ),
    "json-deep": (body(b"[" * 60_000), "body: the body is not JSON"),
    "json-number": (body(b"9" * 60_000), "body: "),
    "json-nan": (body(b"NaN"), "body: "),
    "json-surrogate": (body(rb'{"ok": "\ud800"}'), "body: /ok is not"),
}
"""The behaviour, and how the run's error begins, as a pattern."""

_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")


def job(name: str, port: int) -> dict[str, Any]:
    success = {"success": {"body_json": {"/ok": True}}} if name.startswith("json-") else {}
    return {"endpoint": f"http://127.0.0.1:{port}/{name}", "timeout_seconds": 2} | success


def fault(name: str, run: Run) -> str | None:
    """What is wrong with a run, of which nothing should be."""
    said = run["error"] or OK
    if not re.match(ANSWERS[name][1], said):
        return f"ended as {said!r}"
    texts = f"{said}{run['response_excerpt'] or ''}"
    if _UNSEEN.search(texts) or not said.isprintable():
        return f"holds what is not seen: {texts!r}"
    return None if len((run["response_excerpt"] or "").encode()) <= 2048 else "keeps too much"


async def test_each_answer_ends_as_a_run_that_says_so(database_url: str) -> None:
    async with (
        serving_malice({name: behaviour for name, (behaviour, _) in ANSWERS.items()}) as server,
        serving(database_url, Reach(Targets.ANY)) as service,
    ):
        began = time.monotonic()
        runs = await service.run({name: job(name, server.port) for name in ANSWERS})
        assert time.monotonic() - began < 40, "a call outlived its deadline"
        answers = [await service.client.get(f"/v1/jobs/{name}/runs") for name in ANSWERS]
    assert {name: wrong for name, run in runs.items() if (wrong := fault(name, run))} == {}
    assert {name: count for name, count in server.calls.items() if count != 1} == {}, "a call was sent twice"
    assert {answer.headers["content-type"] for answer in answers} == {"application/json"}
    assert {answer.headers["x-content-type-options"] for answer in answers} == {"nosniff"}


async def test_what_was_kept_is_what_can_be_read(sqlite_url: str) -> None:
    kept = {
        "controls": "\\x1b[2J\\x07\\x08\\x0c\ufffd31m\\x9b\\x7f",
        "bidi": "\\u202etxt.exe\\u2066\\u200b\\ufeff",
        "html": "<script>alert(1)</script>",
        "coding-gzip-of-none": "ok",
        "length-too-short": "ok",
        "flood": "a" * 2048,
    }
    async with (
        serving_malice({name: ANSWERS[name][0] for name in kept}) as server,
        serving(sqlite_url, Reach(Targets.ANY)) as service,
    ):
        runs = await service.run({name: job(name, server.port) for name in kept})
    assert {name: run["response_excerpt"] for name, run in runs.items()} == kept


@pytest.mark.parametrize("field", ["error", "result"])
async def test_what_a_callback_says_is_shown_like_an_answer(sqlite_url: str, field: str) -> None:
    calls_back = {"async": b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"}
    async with (
        serving_malice(calls_back) as server,
        serving(sqlite_url, Reach(Targets.ANY)) as service,
    ):
        fields = {"endpoint": f"http://127.0.0.1:{server.port}/async", "async_completion": {"timeout_seconds": 60}}
        run = (await service.run({"async": fields}, until={"waiting"}))["async"]
        request = server.requests["/async"].split(b"\r\n")
        [line] = [each for each in request if each.lower().startswith(b"cronledger-callback")]
        path = "/v1" + line.decode().rpartition("/v1")[2]
        said = {"status": "failed" if field == "error" else "succeeded", field: "a\x1b[2J\u202eb\x9bc"}
        assert (await service.client.post(path, json=said)).status_code == 204
        shown = (await service.client.get(f"/v1/runs/{run['id']}")).json()
    assert "a" in f"{shown['error']}{shown['response_excerpt']}"
    assert not _UNSEEN.search(f"{shown['error']}{shown['response_excerpt']}")
