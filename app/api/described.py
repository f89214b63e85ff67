"""Pieces of the OpenAPI document that routes share."""

from __future__ import annotations

from typing import Any

from app.api.problems import MEDIA_TYPE, Kind, example

Responses = dict[int | str, dict[str, Any]]

_TEXT = {"type": "string"}
ETAG = {"ETag": {"description": '`"<version>.<hash of the answer>"`', "required": True, "schema": _TEXT}}
LOCATION = {"Location": {"description": "Path of what was made.", "required": True, "schema": _TEXT}}
RETRY_AFTER = {"Retry-After": {"description": "Seconds.", "required": True, "schema": {"type": "integer"}}}
CHALLENGE = {"WWW-Authenticate": {"description": "`Bearer`", "required": True, "schema": _TEXT}}
LINK = {"Link": {"description": 'The page after this one, `rel="next"`; none on the last.', "schema": _TEXT}}

NOT_MODIFIED: Responses = {304: {"description": "The caller has this answer already.", "headers": ETAG}}
PAGE: Responses = {200: {"description": "A page.", "headers": LINK}}
QUEUED: Responses = {202: {"description": "The run, pending.", "headers": LOCATION}}
JOB: Responses = {200: {"description": "The job.", "headers": ETAG}}


_HEADERS = {
    Kind.TOO_MANY_REQUESTS.status: RETRY_AFTER,
    Kind.STORE_UNAVAILABLE.status: RETRY_AFTER,
    Kind.UNAUTHENTICATED.status: CHALLENGE,
}


def failing(*statuses: int) -> Responses:
    """The problems that an operation may answer with."""
    return {status: {"$ref": f"#/components/responses/Problem{status}"} for status in statuses}


def problem_responses() -> dict[str, dict[str, Any]]:
    """What `failing` refers to: the kinds of problem that have a status in common."""
    return {f"Problem{status}": _problem_response(status) for status in sorted({kind.status for kind in Kind})}


def _problem_response(status: int) -> dict[str, Any]:
    kinds = [kind for kind in Kind if kind.status == status]
    examples = {kind.slug: {"summary": kind.title, "value": example(kind)} for kind in kinds}
    content = {"schema": {"$ref": "#/components/schemas/Problem"}, "examples": examples}
    response = {"description": ", or ".join(kind.title for kind in kinds), "content": {MEDIA_TYPE: content}}
    return response | ({"headers": _HEADERS[status]} if status in _HEADERS else {})
