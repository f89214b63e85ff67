"""Schemathesis over the whole API: examples, coverage, fuzzing, and sequences of calls, with all of its checks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from typing import Any

import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import strategies as st
from schemathesis.engine import Status, from_schema
from schemathesis.engine.events import EngineFinished, FatalError, NonFatalError, ScenarioFinished
from schemathesis.python.asgi import shutdown_lifespans

from app.api import cursors
from app.api.application import build_api
from app.api.intake import Intake
from app.api.schemas.calendar import ICALENDAR
from app.db.engine import connect
from app.domain.access import Scope
from app.domain.api_key import compose
from app.domain.backfill import BackfillRequest
from app.domain.calendar import CalendarDefinition
from app.domain.job import JobDefinition
from app.domain.namespace import DEFAULT, Quotas
from app.domain.policies import Policies
from app.domain.run import Run
from app.domain.schedule import timezones
from app.metrics import Metrics
from app.service.keys import bootstrap
from app.service.services import Services
from tests.api.building import NO_SUCH_RUN, PAGE_KEY, build_scheduler, build_services
from tests.conftest import STORES

SCHEDULES = ["* * * * *", "0 9 * * MON-FRI", "30 2 1,15 * ?", "@every 90s", "@manual", "@daily", "0 0 3 L * *"]
CALENDAR = "there"
EMPTY = "empty"
NAMED = {"importCalendar": CALENDAR, "deleteNamespace": EMPTY}
"""Operations, with what is there for them."""
ENDPOINT = "http://one.example/hook"
ENDPOINTS = r"https?://[a-z]{1,9}\.example(:[1-9][0-9]{1,3})?/[a-z0-9/]{0,20}"
FILE = ICALENDAR.replace("20271224", "{day:%Y%m%d}")
KEY = compose(bytes(32))
CURSORS = {
    "listJobs": cursors.encode(PAGE_KEY, "jobs", "a"),
    "listCalendars": cursors.encode(PAGE_KEY, "calendars", "a"),
    "listLimits": cursors.encode(PAGE_KEY, "limits", "a"),
    "listSecrets": cursors.encode(PAGE_KEY, "secrets", "a"),
    "listNamespaces": cursors.encode(PAGE_KEY, "namespaces", "a"),
    "listKeys": cursors.encode(PAGE_KEY, "keys", NO_SUCH_RUN),
    "listAudit": cursors.encode(PAGE_KEY, "audit", 1),
    "listBackfills": cursors.encode(PAGE_KEY, "backfills", NO_SUCH_RUN),
    "listAttempts": cursors.encode(PAGE_KEY, "attempts", 1),
    "listReplicas": cursors.encode(PAGE_KEY, "replicas", f"0 {NO_SUCH_RUN}"),
    "getStats": cursors.encode(PAGE_KEY, "stats", NO_SUCH_RUN),
    "listRuns": cursors.encode(PAGE_KEY, "runs", NO_SUCH_RUN),
    "listJobRuns": cursors.encode(PAGE_KEY, "runs", NO_SUCH_RUN),
    "listJobSpans": cursors.encode(PAGE_KEY, "spans", 1),
    "listJobVersions": cursors.encode(PAGE_KEY, "versions", 1),
    "listVersions": cursors.encode(PAGE_KEY, "versions", 1),
    "explainJob": cursors.encode(PAGE_KEY, "instants", 0),
    "explain": cursors.encode(PAGE_KEY, "instants", 0),
    "listEntries": cursors.encode(PAGE_KEY, "entries", 1),
}
CONFIG = {
    "seed": 1,
    "generation": {"max-examples": 12, "deterministic": True, "database": "none", "no-shrink": True},
    "auth": {"openapi": {"key": {"bearer": KEY}}},
    "checks": {
        "positive_data_acceptance": {"expected-statuses": ["2xx", "304", "404", "409", "412", "413"]},
        "negative_data_rejection": {
            "expected-statuses": ["400", "401", "404", "405", "409", "412", "413", "415", "422"]
        },
    },
}

BEYOND_SCHEMAS = {
    "urn:cronledger:problem:invalid-schedule",
    "urn:cronledger:problem:never-fires",
    "urn:cronledger:problem:unknown-timezone",
    "urn:cronledger:problem:invalid-endpoint",
    "urn:cronledger:problem:invalid-cursor",
    "urn:cronledger:problem:unknown-calendar",
    "urn:cronledger:problem:unknown-secret",
    "urn:cronledger:problem:invalid-calendar",
    "urn:cronledger:problem:idempotency-key-reused",
}
"""Refusals for what no JSON schema can say."""

NOT_TO_BE_GUESSED = {"POST /v1/callbacks/{run_id}/{token}"}
"""What needs a token that only a target is sent."""

WITHOUT_END = "streamEvents"
"""What has no end can't be waited for; tests/api/test_events.py has it."""

TOGETHER = {
    "auth",
    "signing",
    "tls",
    "ends_at",
    "entries",
    "exclude",
    "expires_at",
    "headers",
    "job_id",
    "label",
    "name",
    "retry",
    "since",
    "until",
}
TOGETHER |= {"async_completion.timeout_seconds"}
TOGETHER |= {f"notify.{index}.headers" for index in range(5)}
"""Fields that are refused for what stands beside them or in them: starts_at, each other, the path, the time.

A patch may leave out what the job has; of a job without it that is not enough.
"""


@schemathesis.serializer("text/calendar")
def _as_it_is(_context: Any, value: Any) -> bytes:
    return str(value).encode("utf-8", "surrogatepass")


NO_BACKFILL = "/v1/backfills/None"
"""A link takes it from a run that no backfill made."""

PAST = BackfillRequest(since=datetime(2026, 1, 1, tzinfo=UTC), until=datetime(2026, 1, 3, tzinfo=UTC))


@pytest.fixture(autouse=True)
def _formats() -> None:
    instants = st.datetimes(datetime(1971, 1, 1), datetime(2099, 12, 30), timezones=st.just(UTC))
    schemathesis.openapi.format("cronledger-schedule", st.sampled_from(SCHEDULES))
    schemathesis.openapi.format("cronledger-endpoint", st.from_regex(ENDPOINTS, fullmatch=True))
    schemathesis.openapi.format("cronledger-timezone", st.sampled_from(sorted(timezones())))
    days = st.dates(date(1970, 1, 1), date(2099, 12, 31))
    schemathesis.openapi.format("date", days.map(date.isoformat))
    schemathesis.openapi.format("cronledger-icalendar", days.map(lambda day: FILE.format(day=day)))
    moments = instants.map(lambda instant: instant.strftime("%Y-%m-%dT%H:%M:%SZ"))
    schemathesis.openapi.format("cronledger-instants", moments)
    schemathesis.openapi.format("date-time", instants.map(lambda instant: instant.strftime("%Y-%m-%dT%H:%M:%SZ")))


@pytest.fixture
def app(database_url: str) -> Iterator[FastAPI]:
    """With a scheduler that runs, and calls nobody."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        database = connect(database_url)
        metrics = Metrics()
        scheduler = build_scheduler(database, metrics)
        metrics.watch(scheduler)
        app.state.services = build_services(database, scheduler)
        app.state.metrics = metrics
        await scheduler.start()
        await app.state.services.calendars.create(CalendarDefinition(name=CALENDAR))
        await bootstrap(database, KEY)
        app.state.key = (await app.state.services.keys.create("other", frozenset({Scope.RUNS_READ})))[0].id
        await app.state.services.namespaces.put(EMPTY, Quotas())
        held_up = await a_run_that_waits(app.state.services)
        app.state.held_up, app.state.job = held_up.id, held_up.job_id
        app.state.backfill = (await app.state.services.backfills.create("w", PAST))[0].id
        yield
        await scheduler.stop(0)
        await database.close()

    yield build_api(docs_url="/docs", version="1", intake=Intake(metrics_open=False), lifespan=lifespan)
    shutdown_lifespans()


async def a_run_that_waits(services: Services) -> Run:
    """At a limit that lets none through."""
    await services.limits.put("closed", 0, None)
    policies = Policies(concurrency_key="closed")
    await services.jobs.create(JobDefinition(name="w", schedule="@daily", endpoint=ENDPOINT, policies=policies))
    return await services.runs.trigger("w")


@pytest.mark.timeout(300)  # it is long, and longer on a slow machine
@pytest.mark.parametrize("database_url", STORES[-1:], indirect=True)  # a minute on each
def test_no_call_breaks_the_service_or_the_contract(app: FastAPI) -> None:
    config = schemathesis.Config.from_dict(CONFIG)
    schema = schemathesis.openapi.from_asgi("/openapi.json", app, config=config).exclude(operation_id=WITHOUT_END)
    schema.hook("map_query")(with_a_cursor_of_its_kind)
    schema.hook("map_query")(with_a_job_that_there_was)
    schema.hook("map_path_parameters")(with_what_there_is)
    failures: list[str] = []
    succeeded: set[str] = set()
    for event in from_schema(schema).execute():
        if isinstance(event, FatalError):
            raise event.exception
        if isinstance(event, NonFatalError):
            failures.append(f"{event.label}: {event.value!r}")
        if isinstance(event, EngineFinished):
            assert event.stop_reason == "completed"
        if isinstance(event, ScenarioFinished):
            failures += told(event)
            succeeded |= answered_well(event)
    assert not failures, "\n\n".join(failures)
    operations = {f"{method.upper()} {path}" for path, item in app.openapi()["paths"].items() for method in item}
    assert succeeded == operations - NOT_TO_BE_GUESSED - {"GET /v1/events"}


def with_a_cursor_of_its_kind(context: Any, query: dict[str, Any]) -> dict[str, Any]:
    if query and isinstance(query.get("cursor"), str):
        return query | {"cursor": CURSORS[context.operation.definition.raw["operationId"]]}
    return query


def with_a_job_that_there_was(context: Any, query: dict[str, Any]) -> dict[str, Any]:
    """For what is not found by another id."""
    if query and "job_id" in query and context.operation.definition.raw["operationId"] == "explain":
        return query | {"job_id": str(context.operation.app.state.job)}
    return query


def with_what_there_is(context: Any, path: dict[str, Any] | None) -> dict[str, Any] | None:
    """Nothing that is drawn would meet a run, of which most have ended, a key, a backfill, or a calendar.

    None is what a link will give.
    """
    operation = context.operation.definition.raw["operationId"]
    if operation in {"cancelRun", "retryRun"}:
        return (path or {}) | {"run_id": str(context.operation.app.state.held_up)}
    if operation in {"getKey", "patchKey", "revokeKey"}:
        return (path or {}) | {"key_id": str(context.operation.app.state.key)}
    if path and operation in {"getBackfill", "cancelBackfill"}:
        return path | {"backfill_id": str(context.operation.app.state.backfill)}
    if path and operation in NAMED:
        return path | {"name": NAMED[operation]}
    if path and operation == "deleteCalendar" and path["name"] == CALENDAR:
        return path | {"name": "gone"}
    return path


@schemathesis.hook("before_call")
def without_quotas_for_all(_context: Any, case: Any, _kwargs: Any) -> None:
    """They would hold for whatever follows."""
    if case.operation.label == "PUT /v1/namespaces/{name}" and case.path_parameters["name"] == DEFAULT:
        case.path_parameters["name"] = "another"


def told(scenario: ScenarioFinished) -> Iterator[str]:
    """What failed, with the request and the answer."""
    for case_id, checks in scenario.recorder.checks.items():
        call = scenario.recorder.interactions[case_id]
        for check in checks:
            if check.status is not Status.FAILURE:
                continue
            if check.name == "positive_data_acceptance" and is_beyond_schemas(call.response):
                continue
            if NO_BACKFILL in call.request.uri:
                continue
            sent = f"{call.request.method} {call.request.uri} {call.request.headers} {call.request.body!r}"
            answer = None if call.response is None else (call.response.status_code, call.response.text)
            yield f"{check.name} in {scenario.phase.value}: {check.failure_info}\n{sent}\n{answer}"[:3000]


def is_beyond_schemas(response: Any) -> bool:
    if response.status_code != 422:
        return False
    problem = response.json()
    return problem["type"] in BEYOND_SCHEMAS or problem["field"] in TOGETHER


def answered_well(scenario: ScenarioFinished) -> set[str]:
    return {
        scenario.recorder.cases[case_id].value.operation.label
        for case_id, call in scenario.recorder.interactions.items()
        if call.response is not None and call.response.status_code < 300
    }
