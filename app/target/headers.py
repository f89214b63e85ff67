"""The headers of a call: what Cronledger says about the run, and what the job adds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from secrets import token_hex
from urllib.parse import quote

from multidict import CIMultiDict, istr

from app.domain.errors import InvalidInput
from app.domain.instants import rfc3339
from app.domain.revealed import Revealed
from app.domain.secret import HeaderValue

# The client frames the message and names the host; RFC 9110, 7.6.1 and 7.8, for those that end at the next hop.
_FRAMING = frozenset({"content-length", "expect", "host", "transfer-encoding"})
_HOP_BY_HOP = frozenset({"connection", "http2-settings", "keep-alive", "te", "trailer", "upgrade"})
_OURS = frozenset({"accept-encoding", "idempotency-key", "traceparent", "tracestate", "user-agent"})
_RESERVED = _FRAMING | _HOP_BY_HOP | _OURS
_RESERVED_PREFIXES = ("cronledger-", "proxy-", "webhook-")

_OPEN = frozenset({"accept", "accept-language", "content-type"})

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 9110, 5.6.2
_VALUE = re.compile(r"[\t\x20-\x7e]*")

_IDEMPOTENCY_KEY = istr("Idempotency-Key")
_WEBHOOK_ID = istr("webhook-id")
_WEBHOOK_TIMESTAMP = istr("webhook-timestamp")
_JOB = istr("Cronledger-Job")
_SCHEDULED_FOR = istr("Cronledger-Scheduled-For")
_ATTEMPT = istr("Cronledger-Attempt")
_TRIGGER = istr("Cronledger-Trigger")
_CALLBACK = istr("Cronledger-Callback")
_EVENT = istr("Cronledger-Event")
_TRACEPARENT = istr("traceparent")
SIGNATURE = istr("webhook-signature")
_CREDENTIALS = (_CALLBACK, SIGNATURE, istr("Authorization"))


def check_headers(headers: Mapping[str, HeaderValue]) -> None:
    """Raise InvalidInput, its field `headers.<name>`, for a header that a job may not send."""
    seen: set[str] = set()
    for name, value in headers.items():
        if fault := _fault(name, value, seen):
            text, remedy = fault
            raise InvalidInput(f"headers: {name[:100]!r} {text}.", field=f"headers.{name}", remedy=remedy)
        seen.add(name.lower())


def sendable(value: str) -> bool:
    return _VALUE.fullmatch(value) is not None


def call_headers(revealed: Revealed, now: datetime, callback: str | None = None) -> CIMultiDict[str]:
    """Say of which run this call is an attempt. What the job adds overrides nothing of it.

    `Cronledger-Job` is the name as it stands in a path of the API. The trace id is the run's id, so that all attempts
    of a run share one trace (W3C Trace Context). `callback` is the URL by which its end may be told.
    """
    call = revealed.call
    run_id = str(call.run_id)
    headers: CIMultiDict[str] = CIMultiDict(
        {
            _IDEMPOTENCY_KEY: run_id,
            _WEBHOOK_ID: run_id,
            _WEBHOOK_TIMESTAMP: str(int(now.timestamp())),
            _JOB: quote(call.job_name, safe=""),
            _SCHEDULED_FOR: rfc3339(call.scheduled_for),
            _ATTEMPT: str(call.attempt),
            _TRIGGER: call.trigger.value,
            _TRACEPARENT: f"00-{call.run_id.hex}-{token_hex(8)}-01",
        }
    )
    if callback is not None:
        headers[_CALLBACK] = callback
    if call.event is not None:
        headers[_EVENT] = call.event
    for name, value in revealed.headers.items():
        if not _reserved(name):
            headers[name] = value
    return headers


def without_secrets(headers: CIMultiDict[str], added: Mapping[str, HeaderValue]) -> CIMultiDict[str]:
    """What another origin may see: what the job `added`, by name, may be a credential, and so are others."""
    kept = headers.copy()
    for name in (*added, *_CREDENTIALS):
        if name in _CREDENTIALS or not (_reserved(name) or _is_open(name, added[name])):
            kept.popall(name, None)
    return kept


def _is_open(name: str, value: HeaderValue) -> bool:
    return name.lower() in _OPEN and isinstance(value, str)


def _reserved(name: str) -> bool:
    lower = name.lower()
    return lower in _RESERVED or lower.startswith(_RESERVED_PREFIXES)


def _fault(name: str, value: HeaderValue, seen: set[str]) -> tuple[str, str] | None:
    if not _TOKEN.fullmatch(name):
        return "is no header name", "A name has letters, digits and hyphens."
    if _reserved(name):
        return "is set by Cronledger or by the connection", "Leave it out."
    if name.lower() in seen:
        return "is given twice", "Upper and lower case are one; join the values with a comma."
    if isinstance(value, str) and not sendable(value):
        return "holds a character that a header can't carry", "Keep to printable ASCII on one line; encode the rest."
    return None
