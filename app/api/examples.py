"""Answers as the documentation shows them; FastAPI would drop their nulls."""

from __future__ import annotations

from typing import Any

from app.api.schemas import calendar, job_in
from app.api.schemas.policies import PolicyFields

_JOB = "01a20cfb-9710-75db-ae7d-f446411586ba"
_RUN = "01a21062-1c40-8f1e-9a0b-1c2d3e4f5a6b"

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
    "retry_of": None,
    "cancel_requested": False,
    "attempt": 1,
    "started_at": "2027-01-01T02:30:00.012345Z",
    "finished_at": "2027-01-01T02:30:00.512345Z",
    "lag_ms": 12.345,
    "duration_ms": 500.0,
    "status_code": 200,
    "error": None,
    "response_excerpt": "done",
    "replica": "7b0c1f5e-52c0-4c36-9a7b-2f0a7c1f5e52",
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
EXAMPLES = {"LimitOut": LIMIT, "CalendarOut": CALENDAR, "JobOut": JOB, "RunOut": RUN, "SpanOut": SPAN}
