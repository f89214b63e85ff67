"""Answers as the documentation shows them; FastAPI would drop their nulls."""

from __future__ import annotations

from typing import Any

from app.api.schemas import backfill, calendar, job_in, namespace
from app.api.schemas.policies import PolicyFields
from app.domain.api_key import compose

_JOB = "01a20cfb-9710-75db-ae7d-f446411586ba"
_RUN = "01a21062-1c40-8f1e-9a0b-1c2d3e4f5a6b"
_KEY = "019a1062-1c40-7f1e-9a0b-1c2d3e4f5a6b"
_BACKFILL = "01a21064-7ae0-8c3d-8b1f-2d3e4f5a6b7c"

POLICIES: dict[str, Any] = PolicyFields().model_dump(mode="json")
JOB: dict[str, Any] = job_in.EXAMPLE | {
    "id": _JOB,
    "day_rule": "or",
    "enabled": True,
    "description": "",
    "method": "POST",
    "headers": {},
    "timeout_seconds": 30.0,
    "starts_at": None,
    "ends_at": None,
    "dst_gap": "after",
    "dst_overlap": "first",
    **POLICIES,
    "version": 1,
    "problem": None,
    "completed": False,
    "runs_made": 12,
    "failures_in_a_row": 0,
    "pause_note": None,
    "paused_until": None,
    "next_run": "2027-01-04T02:30:00Z",
    "last_run": "2027-01-01T02:30:00.012345Z",
    "last_success": "2027-01-01T02:30:00.512345Z",
    "last_error": None,
    "created_at": "2026-12-31T09:00:00.123456Z",
    "updated_at": "2026-12-31T09:00:00.123456Z",
}
RUN: dict[str, Any] = {
    "id": _RUN,
    "job_id": _JOB,
    "job_name": "nightly-report",
    "job_version": 1,
    "scheduled_for": "2027-01-01T02:30:00Z",
    "trigger": "schedule",
    "state": "succeeded",
    "reason": None,
    "due_at": "2027-01-01T02:30:00Z",
    "deadline_at": None,
    "waiting_for": None,
    "delayed_by": None,
    "retry_of": None,
    "backfill_id": None,
    "cancel_requested": False,
    "attempt": 1,
    "takeovers": 0,
    "started_at": "2027-01-01T02:30:00.012345Z",
    "finished_at": "2027-01-01T02:30:00.512345Z",
    "lag_ms": 12.345,
    "duration_ms": 500.0,
    "status_code": 200,
    "error": None,
    "response_excerpt": "done",
    "replica": "7b0c1f5e-52c0-4c36-9a7b-2f0a7c1f5e52",
}
EVENT: dict[str, Any] = {
    "id": 4711,
    "at": "2027-01-01T02:30:00.512345Z",
    "kind": "run.succeeded",
    "job_id": _JOB,
    "job_name": "nightly-report",
    "job_version": 1,
    "run_id": _RUN,
    "scheduled_for": "2027-01-01T02:30:00Z",
    "trigger": "schedule",
    "attempt": 1,
    "reason": None,
}
SPAN: dict[str, Any] = {
    "job_id": _JOB,
    "version": 2,
    "from": "2027-01-05T09:00:00.123456Z",
    "until": None,
    "count": None,
    "reason": "paused",
    "note": "the target is being moved",
    "paused_until": "2027-01-06T09:00:00Z",
}
VERSION: dict[str, Any] = {
    "version": 1,
    "effective_from": "2026-12-31T09:00:00.123456Z",
    "effective_until": "2027-01-05T09:00:00.123456Z",
    "definition": {
        "name": "nightly-report",
        "schedule": "30 3 * * MON-FRI",
        "timezone": "Europe/Berlin",
        "day_rule": "or",
        "dst_gap": "after",
        "dst_overlap": "first",
        "enabled": True,
        "endpoint": "https://reports.example.com/run",
        "method": "POST",
        "description": "",
        "timeout_seconds": 30.0,
        "anchor": "2026-12-31T09:00:00Z",
        "starts_at": None,
        "ends_at": None,
        "policies": {},
        "calendars": {},
    },
}
EXPLANATION: dict[str, Any] = {
    "at": "2027-01-01T02:30:00Z",
    "local": "2027-01-01T03:30:00+01:00",
    "verdict": "on_time",
    "sentence": "Ran on time, 12 ms after it was due, and succeeded with status 200 after 500 ms.",
    "run": RUN,
    "span": None,
    "version": 1,
    "by_hand": [],
}
CALENDAR: dict[str, Any] = calendar.EXAMPLE | {
    "version": 1,
    "created_at": "2026-12-31T09:00:00.123456Z",
    "updated_at": "2026-12-31T09:00:00.123456Z",
}
LIMIT: dict[str, Any] = {
    "key": "warehouse",
    "max_concurrency": 7,
    "rate_per_second": None,
    "in_use": 7,
    "waiting": 12,
    "created_at": "2027-01-01T09:00:00.123456Z",
    "updated_at": "2027-01-01T09:00:00.123456Z",
}
BACKFILL: dict[str, Any] = backfill.EXAMPLE | {
    "id": _BACKFILL,
    "job_id": _JOB,
    "job_name": "nightly-report",
    "job_version": 1,
    "state": "running",
    "total": 181,
    "counts": {
        "pending": 120,
        "running": 5,
        "waiting": 0,
        "succeeded": 54,
        "failed": 2,
        "canceled": 0,
        "lost": 0,
    },
    "left_out": 0,
    "next_since": None,
    "created_at": "2027-01-01T09:00:00.123456Z",
    "canceled_at": None,
    "finished_at": None,
}
FORECAST: dict[str, Any] = {
    "from": "2027-01-01T02:00:00.123456Z",
    "until": "2027-01-01T03:00:00.123456Z",
    "complete": True,
    "total": 14,
    "per_minute": [{"at": "2027-01-01T02:15:00Z", "count": 1}, {"at": "2027-01-01T02:30:00Z", "count": 13}],
    "busiest": [
        {
            "at": "2027-01-01T02:30:00Z",
            "count": 13,
            "jobs": [{"name": "each-5-seconds", "count": 12}, {"name": "nightly-report", "count": 1}],
        },
        {"at": "2027-01-01T02:15:00Z", "count": 1, "jobs": [{"name": "quarterly", "count": 1}]},
    ],
}
FIGURES: dict[str, Any] = {
    "due": 1440,
    "succeeded": 1425,
    "failed": 3,
    "canceled": 0,
    "lost": 0,
    "skipped": 2,
    "missed": 0,
    "unfinished": 0,
    "paused": 10,
    "stopped": 0,
    "unschedulable": 0,
    "forgotten": 0,
    "unclaimed": 0,
    "unaccounted": 0,
    "lag": {"p50": 0.012345, "p90": 0.023456, "p99": 0.456789, "max": 0.987654},
    "duration": {"p50": 0.5, "p90": 0.75, "p99": 2.25, "max": 30.001234},
}
STATS: dict[str, Any] = {
    "items": [FIGURES | {"job_id": _JOB, "name": "each-minute"}],
    "next_cursor": None,
    "since": "2027-01-01T02:00:00Z",
    "until": "2027-01-02T02:00:00Z",
    "counted_from": "2026-12-31T09:00:00Z",
    "counted_until": "2027-01-02T02:31:00Z",
    "total": FIGURES,
}
KEY: dict[str, Any] = {
    "id": _KEY,
    "name": "deploy",
    "hint": "cronledger_0fQx2W",
    "scopes": ["jobs:read", "jobs:write"],
    "created_at": "2027-01-04T09:00:00Z",
    "expires_at": None,
    "revoked_at": None,
    "last_used_at": "2027-01-04T09:30:00Z",
}

NAMESPACE: dict[str, Any] = namespace.EXAMPLE | {
    "name": "billing",
    "jobs": 12,
    "runs_today": 1425,
    "created_at": "2027-01-04T09:00:00Z",
    "updated_at": "2027-01-04T09:00:00Z",
}

EXAMPLES = {
    "BackfillOut": BACKFILL,
    "CalendarOut": CALENDAR,
    "EventOut": EVENT,
    "ExplanationOut": EXPLANATION,
    "ForecastOut": FORECAST,
    "JobOut": JOB,
    "KeyOut": KEY,
    "NewKeyOut": KEY | {"last_used_at": None, "key": compose(bytes(32))},
    "LimitOut": LIMIT,
    "NamespaceOut": NAMESPACE,
    "RunOut": RUN,
    "SpanOut": SPAN,
    "StatsPage": STATS,
    "VersionOut": VERSION,
}
