from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from httpx2 import AsyncClient

from app.api import examples
from app.api.openapi import document, export
from app.api.problems import Kind
from app.api.schemas.backfill import BackfillOut
from app.api.schemas.calendar import CalendarOut
from app.api.schemas.event import EventOut
from app.api.schemas.explanation import ExplanationOut
from app.api.schemas.forecast import ForecastOut
from app.api.schemas.job import JobOut
from app.api.schemas.limit import LimitOut
from app.api.schemas.run import RunOut
from app.api.schemas.span import SpanOut
from app.api.schemas.stats import StatsPage
from app.api.schemas.version import VersionOut

EXPORTED = Path(__file__).parents[2] / "openapi" / "openapi.json"
OPERATIONS = """
POST /v1/jobs createJob
GET /v1/jobs listJobs
GET /v1/jobs/{name} getJob
PUT /v1/jobs/{name} putJob
PATCH /v1/jobs/{name} patchJob
DELETE /v1/jobs/{name} deleteJob
POST /v1/jobs/{name}/pause pauseJob
POST /v1/jobs/{name}/resume resumeJob
POST /v1/jobs/{name}/trigger triggerJob
GET /v1/jobs/{name}/next listNextTimes
GET /v1/jobs/{name}/runs listJobRuns
GET /v1/jobs/{name}/spans listJobSpans
GET /v1/jobs/{name}/versions listJobVersions
GET /v1/jobs/{name}/explain explainJob
GET /v1/versions listVersions
GET /v1/explain explain
GET /v1/runs listRuns
GET /v1/runs/{run_id} getRun
GET /v1/runs/{run_id}/attempts listAttempts
GET /v1/replicas listReplicas
POST /v1/runs/{run_id}/cancel cancelRun
POST /v1/runs/{run_id}/retry retryRun
POST /v1/callbacks/{run_id}/{token} reportCompletion
POST /v1/jobs/{name}/backfill createBackfill
GET /v1/backfills listBackfills
GET /v1/backfills/{backfill_id} getBackfill
POST /v1/backfills/{backfill_id}/cancel cancelBackfill
GET /v1/forecast getForecast
GET /v1/stats getStats
GET /v1/events streamEvents
POST /v1/calendars createCalendar
GET /v1/calendars listCalendars
GET /v1/calendars/{name} getCalendar
PUT /v1/calendars/{name} putCalendar
DELETE /v1/calendars/{name} deleteCalendar
POST /v1/calendars/{name}/import importCalendar
GET /v1/limits listLimits
GET /v1/limits/{key} getLimit
PUT /v1/limits/{key} putLimit
DELETE /v1/limits/{key} deleteLimit
GET /v1/scheduler getScheduler
POST /v1/scheduler/pause pauseScheduler
POST /v1/scheduler/resume resumeScheduler
POST /v1/schedules/preview previewSchedule
GET /v1/entries listEntries
GET /livez getLiveness
GET /readyz getReadiness
GET /metrics getMetrics
GET /v1/keys listKeys
POST /v1/keys createKey
POST /v1/secrets createSecret
GET /v1/secrets listSecrets
GET /v1/secrets/{name} getSecret
PUT /v1/secrets/{name} putSecret
DELETE /v1/secrets/{name} deleteSecret
GET /v1/keys/{key_id} getKey
PATCH /v1/keys/{key_id} patchKey
POST /v1/keys/{key_id}/revoke revokeKey
GET /v1/namespaces listNamespaces
GET /v1/namespaces/{name} getNamespace
PUT /v1/namespaces/{name} putNamespace
DELETE /v1/namespaces/{name} deleteNamespace
GET /v1/audit listAudit
"""


@pytest.fixture(scope="module")
def told() -> dict[str, Any]:
    return document()


def operations(told: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in told["paths"].items():
        for method, operation in item.items():
            yield method.upper(), path, operation


def test_the_exported_file_is_current() -> None:
    assert EXPORTED.read_text("utf-8") == export(), "Run: cronledger openapi"


def test_every_operation_is_told(told: dict[str, Any]) -> None:
    found = {f"{method} {path} {operation['operationId']}" for method, path, operation in operations(told)}
    assert found == set(OPERATIONS.strip().splitlines())


def test_the_version_is_3_1_and_no_server_is_named(told: dict[str, Any]) -> None:
    assert told["openapi"] == "3.1.0"
    assert "servers" not in told


def test_every_operation_has_a_summary_and_a_tag_that_is_described(told: dict[str, Any]) -> None:
    described = {tag["name"] for tag in told["tags"] if tag["description"]}
    for _, _, operation in operations(told):
        assert operation["summary"]
        assert len(operation["tags"]) == 1
        assert set(operation["tags"]) <= described


def test_every_request_body_has_an_example(told: dict[str, Any]) -> None:
    for method, path, operation in operations(told):
        if "requestBody" in operation:
            contents = operation["requestBody"]["content"]
            assert contents.get("application/json", contents.get("text/calendar"))["examples"], (method, path)


def test_every_error_is_a_problem_with_examples(told: dict[str, Any]) -> None:
    for _, path, operation in operations(told):
        failures = {status: response for status, response in operation["responses"].items() if status >= "400"}
        assert "500" in failures
        for status, response in failures.items():
            if path in ("/livez", "/readyz") and status == "503":
                continue
            assert response == {"$ref": f"#/components/responses/Problem{status}"}
    for response in told["components"]["responses"].values():
        content = response["content"]["application/problem+json"]
        assert content["schema"] == {"$ref": "#/components/schemas/Problem"}
        assert content["examples"]


def test_the_examples_of_answers_are_answers() -> None:
    assert JobOut.model_validate(examples.JOB).model_dump(mode="json") == examples.JOB
    assert RunOut.model_validate(examples.RUN).model_dump(mode="json") == examples.RUN
    assert CalendarOut.model_validate(examples.CALENDAR).model_dump(mode="json") == examples.CALENDAR
    assert LimitOut.model_validate(examples.LIMIT).model_dump(mode="json") == examples.LIMIT
    assert BackfillOut.model_validate(examples.BACKFILL).model_dump(mode="json") == examples.BACKFILL
    assert EventOut.model_validate(examples.EVENT).model_dump(mode="json") == examples.EVENT
    ahead = examples.FORECAST | {"from_": examples.FORECAST["from"]}
    assert ForecastOut.model_validate(ahead).model_dump(mode="json", by_alias=True) == examples.FORECAST
    assert VersionOut.model_validate(examples.VERSION).model_dump(mode="json") == examples.VERSION
    assert ExplanationOut.model_validate(examples.EXPLANATION).model_dump(mode="json") == examples.EXPLANATION
    assert StatsPage.model_validate(examples.STATS).model_dump(mode="json") == examples.STATS
    span = examples.SPAN | {"from_": examples.SPAN["from"]}
    assert SpanOut.model_validate(span).model_dump(mode="json", by_alias=True) == examples.SPAN


def test_every_kind_of_problem_is_told(told: dict[str, Any]) -> None:
    told_kinds = {
        example["value"]["type"]
        for response in told["components"]["responses"].values()
        for example in response["content"]["application/problem+json"]["examples"].values()
    }
    assert told_kinds == {kind.type for kind in Kind}


def test_every_reference_leads_somewhere(told: dict[str, Any]) -> None:
    def references(node: object) -> Iterator[str]:
        if isinstance(node, dict):
            if isinstance(node.get("$ref"), str):
                yield node["$ref"]
            node = list(node.values())
        if isinstance(node, list):
            for each in node:
                yield from references(each)

    for reference in references(told):
        node = told
        for part in reference.removeprefix("#/").split("/"):
            node = node[part]
    assert "HTTPValidationError" not in told["components"]["schemas"]


async def test_the_service_tells_the_same_document(client: AsyncClient) -> None:
    answer = await client.get("/openapi.json")
    assert answer.json()["paths"] == document()["paths"]
    assert answer.json()["info"]["version"] == "1.2.3"
