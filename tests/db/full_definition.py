"""A job of which everything is said."""

from __future__ import annotations

from datetime import timedelta

from app.domain.job import DayRule, JobDefinition
from tests.db.building import NOON

FULL = JobDefinition(
    name="full",
    schedule="0 9 * * MON",
    endpoint="https://one.example:8443/a?b=c",
    timezone="Europe/Berlin",
    day_rule=DayRule.AND,
    description="Ünlaut \U0001f980",
    labels={"team": "a b", "": "x.y"},
    method="PUT",
    headers={"X-One": "1"},
    body={"a": [1, None, "ü"]},
    timeout_seconds=2.5,
    starts_at=NOON + timedelta(days=1, microseconds=7),
    ends_at=NOON + timedelta(days=900),
)
