"""The body of a call: what the job says, or else the facts of the run."""

from __future__ import annotations

import json
from typing import Any

from app.domain.instants import rfc3339
from app.domain.revealed import Revealed
from app.domain.run import Call

_BODILESS = frozenset({"GET", "HEAD"})
_JSON = "application/json"
_TEXT = "text/plain; charset=utf-8"
_to_json = json.JSONEncoder(separators=(",", ":")).encode  # json.dumps would build an encoder a call


def call_body(revealed: Revealed) -> tuple[bytes, str] | None:
    """Encode the body and say its content type; None where the call has no body."""
    call, body = revealed.call, revealed.body
    if isinstance(body, str):
        return body.encode(), _TEXT
    if body is not None:
        return _to_json(body).encode(), _JSON
    if call.method in _BODILESS:
        return None
    return _to_json(_facts(call)).encode(), _JSON


def _facts(call: Call) -> dict[str, Any]:
    return {
        "run_id": str(call.run_id),
        "job_id": str(call.job_id),
        "job": call.job_name,
        "scheduled_for": rfc3339(call.scheduled_for),
        "attempt": call.attempt,
        "trigger": call.trigger.value,
    }
