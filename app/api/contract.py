"""What FastAPI leaves out of the OpenAPI document: problems instead of its own errors, and JSON that can be stored."""

from __future__ import annotations

from typing import Any

from app.api import once
from app.api.described import failing, problem_responses
from app.api.examples import EXAMPLES
from app.api.needs import METRICS, NEEDS, PROBES
from app.api.problems import FieldError, Problem
from app.api.schemas.event import EventOut, ResetOut
from app.api.schemas.fields import ANY_JSON, NO_NUL
from app.api.schemas.json_body import GREATEST, LEAST

TAGS = [
    {"name": "Jobs", "description": "What is to be called, and when."},
    {"name": "Runs", "description": "The ledger: what became of every instant at which a job was due."},
    {"name": "Backfills", "description": "Past occurrences of a job that are to run after all."},
    {"name": "History", "description": "What a job was, and what became of instants: why, and in numbers."},
    {"name": "Callbacks", "description": "For targets: the end of an attempt that was answered with 202."},
    {"name": "Calendars", "description": "Named days and intervals, which any number of jobs leave out."},
    {
        "name": "Limits",
        "description": "Keys that jobs share: how many of their runs at once, and how many in a second.",
    },
    {"name": "Schedules", "description": "Schedules to look at before any job has them."},
    {"name": "Forecast", "description": "What comes next, over all jobs."},
    {"name": "Events", "description": "What happens, as it happens: a stream that can be resumed on any replica."},
    {"name": "Scheduler", "description": "The stop switch, and what this replica remembers."},
    {"name": "Secrets", "description": "Values that calls carry and nobody reads: told once, named by jobs."},
    {"name": "Keys", "description": "API keys: who may use this API, and for what."},
    {
        "name": "Namespaces",
        "description": "Tenants: each has its own jobs, calendars, limits, secrets and keys. An administrator of "
        "`default` acts in another with the header `Cronledger-Namespace`.",
    },
    {"name": "Health", "description": "For load balancers and for Prometheus."},
]
_TEXT = {"type": "string", "pattern": NO_NUL}
_JSON = {"$ref": "#/components/schemas/Json"}
_JSON_VALUE = {
    "description": "Any JSON; its texts hold no NUL, its numbers are within 64 bits.",
    "anyOf": [
        {"type": ["null", "boolean"]},
        {"type": "number", "minimum": LEAST, "maximum": GREATEST},
        _TEXT,
        {"type": "array", "items": _JSON},
        {"type": "object", "propertyNames": _TEXT, "additionalProperties": _JSON},
    ],
}
_BEARER = {
    "type": "http",
    "scheme": "bearer",
    "description": "An API key, see `POST /v1/keys`. As long as there is none, none is needed on the same machine.",
}


def complete(document: dict[str, Any]) -> dict[str, Any]:
    """The document with every error response; changes it in place."""
    for path in document["paths"].values():
        for method, operation in path.items():
            if method == "post" and operation["operationId"] not in once.NEVER_KEPT:
                operation.setdefault("parameters", []).append(once.PARAMETER)
            _complete_responses(operation, {409} if method == "post" else set())
            _complete_parameters(operation)
            _complete_security(operation)
    _complete_schemas(document["components"]["schemas"])
    document["components"]["responses"] = problem_responses()
    document["components"]["securitySchemes"] = {"key": _BEARER}
    return document


def _complete_security(operation: dict[str, Any]) -> None:
    """OpenAPI 3.1 lets a scheme of HTTP name what is required of the caller."""
    scope = NEEDS.get(operation["operationId"])
    operation["security"] = [] if scope is None else [{"key": [scope.value]}]
    if scope is not None:
        told = f"Needs the scope `{scope.value}`."
        operation["description"] = "\n\n".join(filter(None, (operation.get("description"), told)))


def _complete_parameters(operation: dict[str, Any]) -> None:
    """A parameter that may be left out is none that may be null."""
    for parameter in operation.get("parameters", ()):
        schema = parameter["schema"]
        for kind in schema.pop("anyOf", ()):
            if kind != {"type": "null"}:
                schema |= kind


def _complete_responses(operation: dict[str, Any], more: set[int]) -> None:
    responses = operation["responses"]
    referred = [int(status) for status, response in responses.items() if "$ref" in response]
    statuses = {*referred, *_failures(operation), *more}
    problems = {str(status): response for status, response in failing(*statuses).items()}
    operation["responses"] = dict(sorted((responses | problems).items()))


def _failures(operation: dict[str, Any]) -> set[int]:
    """Those that follow from what the operation reads."""
    statuses = {500}
    if operation["operationId"] in NEEDS:
        statuses |= {401, 403} if operation["operationId"] == METRICS else {401, 403, 422}
    if operation["operationId"] not in PROBES:
        statuses.add(429)
    if operation["tags"] != ["Health"]:
        statuses.add(503)
    if "requestBody" in operation:
        statuses |= {400, 408, 413, 415}
    if "requestBody" in operation or "parameters" in operation:
        statuses.add(422)
    return statuses


def _complete_schemas(schemas: dict[str, Any]) -> None:
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    for name in ("JobIn", "JobPut", "JobPatch"):
        schemas[name]["properties"]["body"] |= _JSON
    _name_json(schemas)
    for model in (Problem, FieldError, EventOut, ResetOut):
        schema = model.model_json_schema(mode="serialization", ref_template="#/components/schemas/{model}")
        schemas |= {name: each for name, each in schema.pop("$defs", {}).items() if name not in schemas}
        schemas[model.__name__] = schema
    for name, example in EXAMPLES.items():
        schemas[name]["examples"] = [example]
    schemas["Json"] = _JSON_VALUE


def _name_json(schema: Any) -> None:  # noqa: ANN401  # whatever a schema holds
    if isinstance(schema, dict):
        if schema.get("format") == ANY_JSON:
            schema.clear()
            schema |= _JSON
        for each in schema.values():
            _name_json(each)
    elif isinstance(schema, list):
        for each in schema:
            _name_json(each)
