from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.domain.errors import (
    InvalidEndpoint,
    InvalidInput,
    InvalidSchedule,
    NeverFires,
    RefusedTarget,
    UnknownTimezone,
)
from app.domain.job import DayRule, JobDefinition
from app.domain.recurrence import Recurrence
from app.service.change import anchor_for, idle_reason
from app.service.rules import COMPUTED_UNDER
from app.service.validation import checked, require_future
from app.target.address import Targets
from app.target.reach import Reach

NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)
JOB = JobDefinition(name="job", schedule="0 9 * * *", endpoint="http://one.example/hook")


def test_a_definition_gets_its_canonical_form() -> None:
    written = replace(JOB, endpoint="HTTPS://One.Example:443/a b".replace(" ", "%20"))
    assert checked(written, Reach(Targets.ANY)) == replace(JOB, endpoint="https://one.example/a%20b")


def test_what_is_canonical_stays_so() -> None:
    once = checked(JOB, Reach(Targets.ANY))
    assert checked(once, Reach(Targets.ANY)) == once


@pytest.mark.parametrize(
    ("schedule", "timezone", "given", "effective"),
    [
        ("0 9 * * *", "UTC", False, "UTC"),
        ("0 9 * * *", "Asia/Tokyo", True, "Asia/Tokyo"),
        ("TZ=Asia/Tokyo 0 9 * * *", "UTC", False, "Asia/Tokyo"),
        ("CRON_TZ=Asia/Tokyo 0 9 * * *", "Asia/Tokyo", True, "Asia/Tokyo"),
    ],
)
def test_the_zone_in_effect_is_the_one_that_was_named(
    schedule: str, timezone: str, *, given: bool, effective: str
) -> None:
    job = replace(JOB, schedule=schedule, timezone=timezone)
    assert checked(job, Reach(Targets.ANY), zone_given=given).timezone == effective


@pytest.mark.parametrize(
    ("changes", "refusal", "field"),
    [
        ({"schedule": "0 25 * * *"}, InvalidSchedule, "schedule"),
        ({"schedule": "TZ=Asia/Tokyo 0 9 * * *"}, InvalidSchedule, "schedule"),
        ({"timezone": "Mars/Olympus"}, UnknownTimezone, "timezone"),
        ({"endpoint": None}, InvalidEndpoint, "endpoint"),
        ({"endpoint": "gopher://one.example/"}, InvalidEndpoint, "endpoint"),
        ({"endpoint": "http://127.0.0.1/"}, RefusedTarget, "endpoint"),
        ({"headers": {"Host": "two.example"}}, InvalidInput, "headers.Host"),
        ({"starts_at": NOON, "ends_at": NOON}, InvalidInput, "ends_at"),
        ({"starts_at": NOON, "ends_at": NOON - timedelta(days=1)}, InvalidInput, "ends_at"),
    ],
)
def test_a_refusal_names_its_field(changes: dict[str, Any], refusal: type[Exception], field: str) -> None:
    with pytest.raises(refusal) as told:
        checked(replace(JOB, **changes), Reach(Targets.PUBLIC))
    assert getattr(told.value, "field", None) == field


def test_the_shortest_range_holds_a_microsecond() -> None:
    job = replace(JOB, starts_at=NOON, ends_at=NOON + timedelta(microseconds=1))
    assert checked(job, Reach(Targets.ANY)) == job


@pytest.mark.parametrize(
    "recurrence",
    [
        Recurrence("0 0 30 2 *"),
        Recurrence("@at 2027-03-01T12:00:00Z"),
        Recurrence("0 9 * * *", ends_at=NOON + timedelta(hours=1)),
        Recurrence("0 9 1 1 *", starts_at=NOON, ends_at=NOON + timedelta(days=30)),
    ],
)
def test_what_will_never_be_due_is_refused(recurrence: Recurrence) -> None:
    with pytest.raises(NeverFires):
        require_future(recurrence, NOON)


@pytest.mark.parametrize(
    "recurrence",
    [
        Recurrence("@manual"),
        Recurrence("@at 2027-03-01T12:00:01Z"),
        Recurrence("0 0 29 2 MON", day_rule=DayRule.AND),
        Recurrence("0 9 * * *", ends_at=NOON + timedelta(days=1)),
        Recurrence("@every 1h", anchor=NOON, starts_at=NOON + timedelta(days=400)),
    ],
)
def test_what_will_be_due_or_means_never_is_not(recurrence: Recurrence) -> None:
    require_future(recurrence, NOON)


def test_the_phase_is_a_whole_second_of_the_start_or_of_now() -> None:
    now = NOON + timedelta(microseconds=7)
    assert anchor_for(JOB, now) == NOON
    start = NOON + timedelta(hours=1, microseconds=999_999)
    assert anchor_for(replace(JOB, starts_at=start), now) == NOON + timedelta(hours=1)


@pytest.mark.parametrize(
    ("enabled", "stopped", "reason"),
    [(True, False, None), (True, True, "scheduler paused"), (False, False, "paused"), (False, True, "paused")],
)
def test_a_job_stands_still_for_one_reason(*, enabled: bool, stopped: bool, reason: str | None) -> None:
    assert idle_reason(replace(JOB, enabled=enabled), stopped=stopped) == reason


def test_later_rules_compare_greater_as_text() -> None:
    prefix, dialect, *_ = COMPUTED_UNDER.split()
    assert prefix == "dialect"
    assert len(dialect) == 3
    assert f"dialect {int(dialect) + 1:03} tzdata 2000a" > COMPUTED_UNDER > ""
