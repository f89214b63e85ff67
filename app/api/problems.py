"""Problems (RFC 9457): the kinds that there are, and the answer that tells of one."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any

from fastapi import Request
from pydantic import BaseModel, Field
from starlette.responses import Response

MEDIA_TYPE = "application/problem+json"


class Kind(Enum):
    """The kinds of problem: slug, status, title, and what a detail of it may say."""

    MALFORMED = (
        "malformed-body",
        400,
        "The body can't be read",
        "The body can't be read as JSON: Expecting value at character 9.",
    )
    UNAUTHENTICATED = ("unauthenticated", 401, "A key is needed", "The request has no API key.")
    FORBIDDEN = ("forbidden", 403, "The key does not allow this", "ci may not do this: it takes the scope jobs:write.")
    QUOTA_EXCEEDED = (
        "quota-exceeded",
        403,
        "The namespace may have no more",
        "The namespace has 100 jobs, which is all that it may have.",
    )
    NOT_FOUND = ("not-found", 404, "Nothing is here", "There is nothing at this path.")
    JOB_NOT_FOUND = ("job-not-found", 404, "No such job", "There is no job named nightly-report.")
    RUN_NOT_FOUND = ("run-not-found", 404, "No such run", "There is no run 0193a1b2-c3d4-8e5f-9a0b-1c2d3e4f5a6b.")
    CALENDAR_NOT_FOUND = ("calendar-not-found", 404, "No such calendar", "There is no calendar named holidays.")
    LIMIT_NOT_FOUND = ("limit-not-found", 404, "No such limit", "There is no limit for the key warehouse.")
    SECRET_NOT_FOUND = ("secret-not-found", 404, "No such secret", "There is no secret named billing-token.")
    KEY_NOT_FOUND = (
        "key-not-found",
        404,
        "No such API key",
        "There is no API key 019a1062-1c40-7f1e-9a0b-1c2d3e4f5a6b.",
    )
    NAMESPACE_NOT_FOUND = ("namespace-not-found", 404, "No such namespace", "There is no namespace named billing.")
    BACKFILL_NOT_FOUND = (
        "backfill-not-found",
        404,
        "No such backfill",
        "There is no backfill 01a21062-1c40-8f1e-9a0b-1c2d3e4f5a6b.",
    )
    CALLBACK_NOT_FOUND = (
        "callback-not-found",
        404,
        "No such callback",
        "No attempt of a run waits for this callback.",
    )
    METHOD_NOT_ALLOWED = ("method-not-allowed", 405, "Not a method of this path", "TRACE is not among GET, POST.")
    TOO_SLOW = ("too-slow", 408, "The body did not come in time", "The body was not there after 30 s.")
    CONFLICT = ("conflict", 409, "Contradicts what is stored", "The job nightly-report has no endpoint to call.")
    NAME_TAKEN = ("name-taken", 409, "The name is taken", "A job named nightly-report exists already.")
    CALENDAR_IN_USE = (
        "calendar-in-use",
        409,
        "The calendar is in use",
        "The job nightly-report names the calendar holidays.",
    )
    SECRET_IN_USE = (
        "secret-in-use",
        409,
        "The secret is in use",
        "The secret billing-token is carried by the calls of nightly-report.",
    )
    NAMESPACE_IN_USE = (
        "namespace-in-use",
        409,
        "The namespace is in use",
        "The namespace billing is not empty: jobs 3, secrets 1.",
    )
    REQUEST_IN_FLIGHT = (
        "request-in-flight",
        409,
        "The request is under way",
        "The request that was sent with this key before is still being carried out.",
    )
    ANSWER_LOST = (
        "answer-lost",
        409,
        "The answer was lost",
        "The request that was sent with this key was carried out, and its answer was lost.",
    )
    VERSION_MISMATCH = (
        "version-mismatch",
        412,
        "It was changed meanwhile",
        "If-Match names version 3, and it is at version 4 now.",
    )
    BODY_TOO_LARGE = ("body-too-large", 413, "The body is too large", "The body is larger than 256 KiB.")
    UNSUPPORTED_MEDIA_TYPE = (
        "unsupported-media-type",
        415,
        "Not a media type for this",
        "The body is sent as text/plain.",
    )
    INVALID_INPUT = ("invalid-input", 422, "The input can't be used", "timeout_seconds: Input should be greater than 0")
    INVALID_SCHEDULE = ("invalid-schedule", 422, "The schedule can't be read", "minute: '61' is out of range.")
    NEVER_FIRES = (
        "never-fires",
        422,
        "The schedule is never due",
        "'0 0 30 2 *' has no occurrence before the year 2100.",
    )
    UNKNOWN_TIMEZONE = ("unknown-timezone", 422, "The time zone is unknown", "There is no time zone 'Berlin'.")
    UNKNOWN_CALENDAR = ("unknown-calendar", 422, "The calendar is unknown", "There is no calendar named holidays.")
    UNKNOWN_SECRET = ("unknown-secret", 422, "The secret is unknown", "auth: there is no secret named billing-token.")
    INVALID_CALENDAR = (
        "invalid-calendar",
        422,
        "The file is no calendar that can be read",
        "The event at line 12: DTSTART '2027-13-01' is no date.",
    )
    INVALID_ENDPOINT = ("invalid-endpoint", 422, "The endpoint can't be called", "endpoint: 'ftp://a' is not for HTTP.")
    IDEMPOTENCY_KEY_REUSED = (
        "idempotency-key-reused",
        422,
        "The key stands for another request",
        "The key was sent with another request before.",
    )
    REFUSED_TARGET = (
        "refused-target",
        422,
        "The address may not be called",
        "endpoint: 169.254.169.254 is a metadata address.",
    )
    INVALID_CURSOR = (
        "invalid-cursor",
        422,
        "The cursor can't be used",
        "The cursor is not one that this API gave out.",
    )
    TOO_MANY_REQUESTS = (
        "too-many-requests",
        429,
        "Too many requests",
        "One address may send 500 requests a second to this replica.",
    )
    INTERNAL = ("internal-error", 500, "Something went wrong here", "The service met an error, which is in its log.")
    IDENTITY_UNAVAILABLE = (
        "identity-unavailable",
        503,
        "The identity provider is away",
        "The keys of the identity provider can't be read just now.",
    )
    STORE_UNAVAILABLE = ("store-unavailable", 503, "The database is away", "The database can't be reached just now.")
    TOO_MANY_STREAMS = (
        "too-many-streams",
        503,
        "Too many streams are open",
        "This replica has 100 streams of events open already.",
    )

    def __init__(self, slug: str, status: int, title: str, example: str) -> None:
        self.slug = slug
        self.type = f"urn:cronledger:problem:{slug}"
        self.status = status
        self.title = title
        self.example = example


class FieldError(BaseModel):
    """What is wrong with one field."""

    field: str
    message: str
    remedy: str | None = Field(None, description="What would do.")


class Problem(BaseModel):
    """RFC 9457, with the field that is at fault and what would do."""

    type: str = Field(description="The kind, which does not change from release to release.")
    title: str
    status: int
    detail: str
    instance: str = Field(description="The path that was asked.")
    field: str | None = Field(None, description="The first field that is at fault.")
    remedy: str | None = Field(None, description="What would do.")
    errors: list[FieldError] | None = Field(
        None, description="Every field that is at fault, as far as it was looked for."
    )


def problem(  # noqa: PLR0913  # the members of a problem
    request: Request,
    kind: Kind,
    detail: str,
    *,
    remedy: str | None = None,
    errors: Sequence[FieldError] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The answer; `detail` may hold whatever was sent, half surrogate pairs included."""
    said = Problem(
        type=kind.type,
        title=kind.title,
        status=kind.status,
        detail=detail,
        instance=request.scope["path"],
        field=errors[0].field if errors else None,
        remedy=remedy,
        errors=list(errors) or None,
    )
    content = json.dumps(said.model_dump(exclude_none=True))
    return Response(content, status_code=kind.status, media_type=MEDIA_TYPE, headers=headers)


def example(kind: Kind) -> dict[str, Any]:
    """For the documentation."""
    return {
        "type": kind.type,
        "title": kind.title,
        "status": kind.status,
        "detail": kind.example,
        "instance": "/v1/jobs",
    }
