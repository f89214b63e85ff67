"""Each policy against real targets that hang, drip, reset, redirect, answer 202, 429 and 500, and send 200 MB."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.e2e.client import SECONDLY, Api, eventually
from tests.servers.hostile import Hostile
from tests.servers.replica import Replicas

Told = list[tuple[str, str | None, str | None, int]]
"""(state, reason, error, attempt) of each run of a job, oldest first."""

TODAY = datetime.now(UTC).date()
Case = tuple[str, dict[str, Any], Callable[[Told], bool]]
"""The path that is called, policies, and whether the runs are as these say."""

ONE_MORE = {"max_attempts": 2, "min_backoff_seconds": 1, "max_backoff_seconds": 5, "jitter": False}
NO_MORE = {"max_attempts": 1}


def only(state: str, reason: str | None, error: str | None, attempt: int) -> Callable[[Told], bool]:
    """One run was made by hand, and came to this."""
    return lambda runs: runs == [(state, reason, error, attempt)]


def has(state: str, reason: str, least: int = 1) -> Callable[[Told], bool]:
    """So many of the runs at least, whose reason begins so."""
    return lambda runs: sum(each[0] == state and (each[1] or "").startswith(reason) for each in runs) >= least


BY_HAND: dict[str, Case] = {
    "retry-500": ("/500", {"retry": ONE_MORE}, only("failed", None, "status 500", 2)),
    "retry-429": ("/429", {"retry": ONE_MORE}, only("failed", None, "status 429", 2)),
    "retry-timeout": (
        "/hang/retry",
        {"retry": ONE_MORE, "timeout_seconds": 1},
        only("failed", None, "timeout after 1 s", 2),
    ),
    "retry-drip": (
        "/drip/retry",
        {"retry": ONE_MORE, "timeout_seconds": 1},
        only("failed", None, "timeout after 1 s", 2),
    ),
    "no-retry-302": ("/302", {"retry": ONE_MORE}, only("failed", None, "status 302", 1)),
    "success-302": ("/302", {"success": {"status": ["302"]}}, only("succeeded", None, None, 1)),
    "success-body": (
        "/200mb",
        {"success": {"body_contains": "done"}},
        only(
            "failed",
            None,
            "body: the body does not contain what body_contains asks for, of which the first 64 KiB are read",
            1,
        ),
    ),
    "200mb": ("/200mb", {}, only("succeeded", None, None, 1)),
    "callback": (
        "/202",
        {"async_completion": {"timeout_seconds": 1}, "retry": NO_MORE},
        only("failed", None, "timeout: no callback within 1 s", 1),
    ),
    "accepted": ("/202", {}, only("succeeded", None, None, 1)),
    "deadline": ("/hang/deadline", {"deadline_seconds": 2, "retry": NO_MORE}, has("failed", "deadline")),
}

BY_SCHEDULE: dict[str, Case] = {
    "skip": (
        "/hang/skip",
        {"overlap": "skip", "timeout_seconds": 3, "retry": NO_MORE},
        has("skipped", "overlap: run ", 2),
    ),
    "allow": ("/drip/allow", {"overlap": "allow", "timeout_seconds": 3, "retry": NO_MORE}, has("failed", "", 2)),
    "queue": (
        "/drip/queue",
        {"overlap": "queue", "timeout_seconds": 2, "retry": NO_MORE},
        has("skipped", "overlap: 1 runs wait", 1),
    ),
    "cancel": (
        "/hang/cancel",
        {"overlap": "cancel_previous", "timeout_seconds": 9},
        has("canceled", "overlap: run ", 2),
    ),
    "excluded": (
        "/ok",
        {"exclude": [f"{TODAY}", f"{TODAY + timedelta(days=1)}"]},
        has("skipped", "excluded", 2),
    ),
    "max-runs": ("/500", {"max_runs": 2, "retry": NO_MORE}, has("failed", "", 2)),
    "jitter": ("/500", {"jitter_seconds": 2, "retry": NO_MORE, "overlap": "allow"}, has("failed", "", 2)),
    "limited": (
        "/hang/limit",
        {"concurrency_key": "one", "timeout_seconds": 1, "overlap": "allow", "retry": NO_MORE},
        has("failed", "", 2),
    ),
    "pauses": ("/reset", {"pause_after_failures": 2, "retry": NO_MORE}, has("failed", "", 2)),
}


@pytest.fixture
async def hostile() -> AsyncIterator[Hostile]:
    target = Hostile()
    await target.start()
    yield target
    await target.stop()


@pytest.fixture
async def api(database_url: str, replicas: Replicas) -> AsyncIterator[Api]:
    replica = await replicas.start(database_url, {"PER_HOST_CONCURRENCY": "200"})
    opened = Api(replica.url)
    await opened.request("PUT", "/v1/limits/one", json={"max_concurrency": 1})
    yield opened
    await opened.close()


async def test_what_becomes_of_each_run_is_what_its_policy_says(api: Api, hostile: Hostile) -> None:
    for name, (path, policies, _) in BY_HAND.items():
        await api.create(name, f"{hostile.url}{path}", "@manual", **policies)
        await api.post(f"/v1/jobs/{name}/trigger")
    await _as_expected(api, BY_HAND)
    waited = [run for run in await api.runs() if run["job_name"] == "retry-429"]
    assert all(run["duration_ms"] >= 2000 for run in waited), "Retry-After was not waited for"
    assert hostile.calls["/302"] == 2
    assert hostile.calls["/ok"] == 0, "a redirect was followed"


async def test_what_a_schedule_makes_is_decided_by_its_policies(api: Api, hostile: Hostile) -> None:
    told: dict[str, Any] = {"notify": [{"on": ["failure"], "endpoint": f"{hostile.url}/ok/notice"}], "retry": NO_MORE}
    await api.create("told", f"{hostile.url}/500/told", **told)
    for name, (path, policies, _) in BY_SCHEDULE.items():
        await api.create(name, f"{hostile.url}{path}", SECONDLY, **policies)
    await _as_expected(api, BY_SCHEDULE)
    await eventually(lambda: _was_called(hostile, "/ok/notice"))
    assert hostile.most_at_once["/hang/skip"] == 1
    assert hostile.most_at_once["/drip/allow"] > 1
    assert hostile.most_at_once["/drip/queue"] == 1
    assert hostile.most_at_once["/hang/limit"] == 1
    assert hostile.calls["/ok"] == 0, "an excluded instant was called"
    await eventually(lambda: _is(api, "max-runs", completed=True))
    await eventually(lambda: _is(api, "pauses", enabled=False))
    assert len([each for each in await _told(api, "max-runs") if each[0] == "failed"]) == 2


async def _told(api: Api, name: str) -> Told:
    page = await api.get(f"/v1/jobs/{name}/runs", limit=100)
    return [(run["state"], run["reason"], run["error"], run["attempt"]) for run in page["items"]][::-1]


async def _is(api: Api, name: str, **values: Any) -> bool:
    job = await api.get(f"/v1/jobs/{name}")
    return {each: job[each] for each in values} == values


async def _was_called(hostile: Hostile, path: str) -> bool:
    return hostile.calls[path] > 0


async def _as_expected(api: Api, cases: dict[str, Case]) -> None:
    wrong: dict[str, Told] = {}

    async def none_is_wrong() -> bool:
        told = {name: await _told(api, name) for name in cases}
        wrong.clear()
        wrong.update({name: runs for name, runs in told.items() if not cases[name][2](runs)})
        return not wrong

    try:
        await eventually(none_is_wrong, timeout=30)
    except TimeoutError:
        pytest.fail(f"Not what their policies say: {wrong}")
