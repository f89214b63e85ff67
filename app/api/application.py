"""The HTTP application: routes, errors, limits and the docs page."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.types import Lifespan

from app.api import (
    actions,
    audit,
    backfills,
    calendars,
    callbacks,
    docs,
    entries,
    events,
    explanations,
    forecast,
    health,
    jobs,
    keys,
    limits,
    namespaces,
    replicas,
    runs,
    scheduler,
    schedules,
    secrets,
    spans,
    stats,
    versions,
)
from app.api.body_limit import BodyLimit
from app.api.contract import TAGS, complete
from app.api.errors import handle_errors
from app.api.guarded import NAMESPACE
from app.api.intake import ANYTHING, Intake
from app.api.needs import METRICS
from app.api.paths import SentPaths
from app.api.rate import Buckets
from app.api.request_id import HEADER, RequestIds
from app.api.security_headers import SecurityHeaders
from app.api.unexpected import Unexpected
from app.domain.clock import SystemClock
from app.domain.replica import Role

_DESCRIPTION = (
    "Cron for HTTP endpoints that keeps a ledger: every instant at which a job was due ends as a run, or within a span,"
    " that says what happened to it."
)


_OF_JOBS = (jobs, actions, runs, backfills, callbacks, spans, versions, explanations)
_OF_REPLICAS = (events, scheduler, replicas, entries)
_ROUTES = (*_OF_JOBS, calendars, limits, schedules, secrets, forecast, stats, *_OF_REPLICAS, keys, namespaces, audit)


class Api(FastAPI):
    """FastAPI, with a document that tells every error."""

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            self.openapi_schema = complete(super().openapi())
        return self.openapi_schema


def build_api(
    *,
    docs_url: str,
    version: str,
    role: Role = Role.ALL,
    intake: Intake = ANYTHING,
    lifespan: Lifespan[FastAPI] | None = None,
) -> FastAPI:
    """One that only schedules answers probes alone. The lifespan puts `services` and `metrics` on its state."""
    api = Api(
        title="Cronledger",
        version=version,
        description=_DESCRIPTION,
        license_info={"name": "MIT", "identifier": "MIT"},
        openapi_tags=TAGS,
        openapi_url=None if role is Role.SCHEDULER else "/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
    )
    api.include_router(health.router)
    if role is not Role.SCHEDULER:
        for each in _ROUTES:
            api.include_router(each.router)
        docs.add_docs(api, docs_url)
    api.state.open_operations = frozenset({METRICS} if intake.metrics_open else ())
    api.state.by_address, api.state.by_key = (
        Buckets(rate, SystemClock()) for rate in (intake.rate_per_address, intake.rate_per_key)
    )
    api.state.by_namespace = Buckets(0, SystemClock())
    handle_errors(api)
    api.add_middleware(BodyLimit)
    api.add_middleware(SentPaths)
    if intake.origins:
        api.add_middleware(
            CORSMiddleware,
            allow_origins=intake.origins,
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=[
                "Authorization",
                "Content-Type",
                "Idempotency-Key",
                "If-Match",
                "If-None-Match",
                HEADER,
                NAMESPACE,
            ],
            expose_headers=["ETag", "Link", "Location", "Retry-After", HEADER],
        )
    api.add_middleware(Unexpected)
    api.add_middleware(SecurityHeaders)
    api.add_middleware(RequestIds)
    return api
