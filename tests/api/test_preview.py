from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from httpx2 import AsyncClient

from app.service.preview import preview
from tests.api.building import build_app, client_of, problem

PATH = "/v1/schedules/preview"


@pytest.fixture
async def client() -> AsyncIterator[AsyncClient]:
    """Without any services: a schedule is looked at while the database is away."""
    app = build_app(None)
    app.state.open_operations = frozenset({"previewSchedule"})
    async with client_of(app) as opened:
        yield opened


async def previewed(client: AsyncClient, **wanted: Any) -> dict[str, Any]:
    answer = await client.post(PATH, json=wanted)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def at(found: dict[str, Any]) -> list[str]:
    return [time["at"] for time in found["occurrences"]]


async def test_a_schedule_is_told_in_words_and_in_times(client: AsyncClient) -> None:
    found = await previewed(
        client,
        schedule="30 2 * * *",
        timezone="Europe/Berlin",
        **{"from": "2027-03-27T00:00:00Z", "count": 3},
    )
    assert found["description"] == "At 02:30 (Europe/Berlin)"
    assert found["occurrences"] == [
        {"at": "2027-03-27T01:30:00Z", "local": "2027-03-27T02:30:00+01:00", "excluded": None},
        {"at": "2027-03-28T01:00:00Z", "local": "2027-03-28T03:00:00+02:00", "excluded": None},
        {"at": "2027-03-29T00:30:00Z", "local": "2027-03-29T02:30:00+02:00", "excluded": None},
    ]
    assert any("does not exist" in warning for warning in found["warnings"])


async def test_the_rules_for_clock_changes_count(client: AsyncClient) -> None:
    gap = {"schedule": "30 2 * * *", "timezone": "Europe/Berlin", "from": "2027-03-28T00:00:00Z", "count": 1}
    assert at(await previewed(client, **gap)) == ["2027-03-28T01:00:00Z"]
    assert at(await previewed(client, **gap, dst_gap="skip")) == ["2027-03-29T00:30:00Z"]
    fold = gap | {"from": "2027-10-31T00:00:00Z", "count": 2}
    first, second, next_day = "2027-10-31T00:30:00Z", "2027-10-31T01:30:00Z", "2027-11-01T01:30:00Z"
    assert at(await previewed(client, **fold)) == [first, next_day]
    assert at(await previewed(client, **fold, dst_overlap="last")) == [second, next_day]
    assert at(await previewed(client, **fold, dst_overlap="both")) == [first, second]


async def test_the_day_rule_counts_and_is_warned_of(client: AsyncClient) -> None:
    both = {"schedule": "0 9 13 * FRI", "from": "2027-01-01T00:00:00Z", "count": 2}
    either = await previewed(client, **both)
    assert at(either) == ["2027-01-01T09:00:00Z", "2027-01-08T09:00:00Z"]
    assert any("day_rule: and" in warning for warning in either["warnings"])
    assert at(await previewed(client, **both, day_rule="and"))[0] == "2027-08-13T09:00:00Z"


async def test_the_busiest_minute_is_warned_of(client: AsyncClient) -> None:
    assert any("`H`" in warning for warning in (await previewed(client, schedule="0 * * * *"))["warnings"])
    assert (await previewed(client, schedule="7 * * * *"))["warnings"] == []


async def test_a_hash_wants_a_name(client: AsyncClient) -> None:
    problem(await client.post(PATH, json={"schedule": "H * * * *"}), 422, "invalid-schedule")
    one = await previewed(client, schedule="H * * * *", name="one", **{"from": "2027-01-01T00:00:00Z"})
    other = await previewed(client, schedule="H * * * *", name="another", **{"from": "2027-01-01T00:00:00Z"})
    assert at(one) != at(other)


async def test_an_interval_is_anchored_on_its_start(client: AsyncClient) -> None:
    every = {"schedule": "@every 90s", "from": "2027-01-01T00:00:00Z", "count": 2}
    assert at(await previewed(client, **every)) == ["2027-01-01T00:00:00Z", "2027-01-01T00:01:30Z"]
    assert at(await previewed(client, **every, starts_at="2026-12-31T23:59:50Z"))[0] == "2027-01-01T00:01:20Z"
    assert at(await previewed(client, **every, starts_at="2027-06-01T00:00:00+02:00"))[0] == "2027-05-31T22:00:00Z"


async def test_without_a_beginning_the_next_times_from_now_on_are_told(client: AsyncClient) -> None:
    before = datetime.now(UTC)
    found = at(await previewed(client, schedule="@every 1h"))
    assert len(found) == 10
    first = datetime.fromisoformat(found[0])
    assert before.replace(microsecond=0) + timedelta(hours=1) <= first <= datetime.now(UTC) + timedelta(hours=1)


async def test_the_beginning_itself_counts(client: AsyncClient) -> None:
    wanted = {"schedule": "0 9 * * *", "count": 1}
    assert at(await previewed(client, **wanted, **{"from": "2027-01-01T09:00:00Z"})) == ["2027-01-01T09:00:00Z"]
    assert at(await previewed(client, **wanted, **{"from": "2027-01-01T09:00:00.000001Z"})) == ["2027-01-02T09:00:00Z"]


async def test_a_thousand_times_are_told_and_no_more(client: AsyncClient) -> None:
    assert len(at(await previewed(client, schedule="*/5 * * * *", count=1000))) == 1000
    assert (
        problem(await client.post(PATH, json={"schedule": "* * * * *", "count": 1001}), 422, "invalid-input")["field"]
        == "count"
    )


async def test_a_schedule_that_ends_gives_what_there_is(client: AsyncClient) -> None:
    assert at(await previewed(client, schedule="@at 2030-01-01T09:00:00+01:00")) == ["2030-01-01T08:00:00Z"]
    assert at(await previewed(client, schedule="@manual")) == []


@pytest.mark.parametrize(
    ("wanted", "kind", "field"),
    [
        ({"schedule": "61 * * * *"}, "invalid-schedule", "schedule"),
        ({"schedule": "0 0 30 2 *"}, "never-fires", "schedule"),
        ({"schedule": "@at 2001-01-01T09:00:00Z"}, "never-fires", "schedule"),
        ({"schedule": "* * * * *", "timezone": "Berlin"}, "unknown-timezone", "timezone"),
        ({"schedule": "TZ=Asia/Tokyo * * * * *", "timezone": "UTC"}, "invalid-schedule", "schedule"),
        ({"schedule": "* * * * *", "dst_gap": "before"}, "invalid-input", "dst_gap"),
        ({"schedule": "* * * * *", "from": "now"}, "invalid-input", "from"),
        ({"schedule": "* * * * *", "from_": "2027-01-01T00:00:00Z"}, "invalid-input", "from_"),
        ({"schedule": "* * * * *", "count": "10"}, "invalid-input", "count"),
        ({"schedule": "H * * * *", "name": "a\0"}, "invalid-input", "name"),
        ({}, "invalid-input", "schedule"),
    ],
)
async def test_a_bad_request_is_refused(client: AsyncClient, wanted: dict[str, Any], kind: str, field: str) -> None:
    assert problem(await client.post(PATH, json=wanted), 422, kind)["field"] == field


def test_the_command_line_asks_alike() -> None:
    found = preview("0 9 * * *", None, after=datetime(2027, 1, 1, 9, tzinfo=UTC), count=1)
    assert [(time.at, time.local) for time in found.occurrences] == [
        (datetime(2027, 1, 2, 9, tzinfo=UTC), "2027-01-02T09:00:00+00:00")
    ]
