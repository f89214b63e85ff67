"""From what was raised to the problem that is answered: status codes are told here alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from starlette.exceptions import HTTPException
from starlette.responses import Response

from app.api.json_request import NOWHERE
from app.api.problems import FieldError, Kind, problem
from app.api.schemas.fields import NO_NUL
from app.api.schemas.text import LEAVE_OUT
from app.domain import errors

_KINDS: Mapping[type[errors.CronledgerError], Kind] = {
    errors.InvalidInput: Kind.INVALID_INPUT,
    errors.InvalidSchedule: Kind.INVALID_SCHEDULE,
    errors.NeverFires: Kind.NEVER_FIRES,
    errors.UnknownTimezone: Kind.UNKNOWN_TIMEZONE,
    errors.UnknownCalendar: Kind.UNKNOWN_CALENDAR,
    errors.UnknownSecret: Kind.UNKNOWN_SECRET,
    errors.InvalidCalendar: Kind.INVALID_CALENDAR,
    errors.InvalidEndpoint: Kind.INVALID_ENDPOINT,
    errors.IdempotencyKeyReused: Kind.IDEMPOTENCY_KEY_REUSED,
    errors.InvalidCursor: Kind.INVALID_CURSOR,
    errors.Unauthenticated: Kind.UNAUTHENTICATED,
    errors.Forbidden: Kind.FORBIDDEN,
    errors.QuotaExceeded: Kind.QUOTA_EXCEEDED,
    errors.TooManyRequests: Kind.TOO_MANY_REQUESTS,
    errors.NotFound: Kind.NOT_FOUND,
    errors.JobNotFound: Kind.JOB_NOT_FOUND,
    errors.RunNotFound: Kind.RUN_NOT_FOUND,
    errors.CalendarNotFound: Kind.CALENDAR_NOT_FOUND,
    errors.LimitNotFound: Kind.LIMIT_NOT_FOUND,
    errors.SecretNotFound: Kind.SECRET_NOT_FOUND,
    errors.KeyNotFound: Kind.KEY_NOT_FOUND,
    errors.NamespaceNotFound: Kind.NAMESPACE_NOT_FOUND,
    errors.BackfillNotFound: Kind.BACKFILL_NOT_FOUND,
    errors.CallbackNotFound: Kind.CALLBACK_NOT_FOUND,
    errors.Conflict: Kind.CONFLICT,
    errors.NameTaken: Kind.NAME_TAKEN,
    errors.CalendarInUse: Kind.CALENDAR_IN_USE,
    errors.SecretInUse: Kind.SECRET_IN_USE,
    errors.NamespaceInUse: Kind.NAMESPACE_IN_USE,
    errors.RequestInFlight: Kind.REQUEST_IN_FLIGHT,
    errors.AnswerLost: Kind.ANSWER_LOST,
    errors.VersionMismatch: Kind.VERSION_MISMATCH,
    errors.RefusedTarget: Kind.REFUSED_TARGET,
    errors.IdentityUnavailable: Kind.IDENTITY_UNAVAILABLE,
    errors.StoreUnavailable: Kind.STORE_UNAVAILABLE,
    errors.TooManyStreams: Kind.TOO_MANY_STREAMS,
}
_HTTP = {
    400: Kind.MALFORMED,
    404: Kind.NOT_FOUND,
    405: Kind.METHOD_NOT_ALLOWED,
    408: Kind.TOO_SLOW,
    413: Kind.BODY_TOO_LARGE,
}
_MOST_ERRORS = 25
_REMEDIES = {"missing": "Send it.", "extra_forbidden": LEAVE_OUT}
"""By the kinds of pydantic; its message says itself what a value should be."""
_LONGEST_WAIT = 86_400
_HEADERS = {
    Kind.STORE_UNAVAILABLE.status: {"Retry-After": "2"},
    Kind.UNAUTHENTICATED.status: {"WWW-Authenticate": "Bearer"},
}

_log = structlog.get_logger()


def handle_errors(app: FastAPI) -> None:
    for each in _KINDS:
        app.exception_handler(each)(_domain_error)
    app.exception_handler(RequestValidationError)(_validation_error)
    app.exception_handler(HTTPException)(_http_error)
    app.exception_handler(Exception)(_unexpected)


async def _domain_error(request: Request, error: errors.CronledgerError) -> Response:
    kind = next(_KINDS[each] for each in type(error).__mro__ if each in _KINDS)
    found = [FieldError(field=error.field, message=error.message, remedy=error.remedy)] if error.field else []
    if kind is Kind.STORE_UNAVAILABLE:
        _log.warning("the database is away", path=request.url.path, cause=repr(error.__cause__))
    headers = _HEADERS.get(kind.status)
    if isinstance(error, errors.TooManyRequests):
        headers = {"Retry-After": str(ceil(min(error.seconds, _LONGEST_WAIT)))}
    return problem(request, kind, error.message, remedy=error.remedy, errors=found, headers=headers)


async def _validation_error(request: Request, error: RequestValidationError) -> Response:
    found: Sequence[Mapping[str, Any]] = error.errors()
    first = found[0]
    if first["type"] == "json_invalid":
        where = "" if first["loc"][-1] == NOWHERE else f" at character {first['loc'][-1]}"
        detail = f"The body can't be read as JSON: {first['ctx']['error']}{where}."
        return problem(request, Kind.MALFORMED, detail)
    if isinstance(error.body, bytes):
        sent = request.headers.get("content-type", "no Content-Type")
        remedy = "Send JSON, with Content-Type: application/json."
        return problem(request, Kind.UNSUPPORTED_MEDIA_TYPE, f"The body is sent as {sent}.", remedy=remedy)
    told = [_field_error(request, each) for each in found[:_MOST_ERRORS]]
    detail = f"{told[0].field}: {told[0].message}"
    return problem(request, Kind.INVALID_INPUT, detail, remedy=told[0].remedy, errors=told)


async def _http_error(request: Request, error: HTTPException) -> Response:
    """What the framework itself raises."""
    kind = _HTTP.get(error.status_code, Kind.INTERNAL)
    if kind is Kind.METHOD_NOT_ALLOWED:
        allowed = ", ".join(_allowed_methods(request))
        return problem(request, kind, f"{request.method} is not among {allowed}.", headers={"Allow": allowed})
    detail = "The body can't be parsed." if kind is Kind.MALFORMED else kind.example
    return problem(request, kind, detail, headers=error.headers)


async def _unexpected(request: Request, _: Exception) -> Response:
    """The server logs the traceback."""
    return problem(request, Kind.INTERNAL, Kind.INTERNAL.example)


def _allowed_methods(request: Request) -> list[str]:
    """Of all routes of the path: the framework names those of the first alone."""
    path = request.scope["path"]
    routes = iter_route_contexts(request.app.routes)
    return sorted({method for route in routes if route.path_regex.match(path) for method in route.methods or ()})


def _field_error(request: Request, error: Mapping[str, Any]) -> FieldError:
    location, context = error["loc"], error.get("ctx") or {}
    field = ".".join(str(part) for part in location[1:] if part != "[key]") or str(location[0])
    if context.get("pattern") == NO_NUL:
        return FieldError(field=field, message="Holds a NUL character", remedy=LEAVE_OUT)
    remedy = context.get("remedy") or _REMEDIES.get(error["type"]) or _described(request)
    return FieldError(field=field, message=error["msg"], remedy=remedy)


def _described(request: Request) -> str:
    return f"The schema of {request.scope['route'].operation_id} in /openapi.json says what it may be."
