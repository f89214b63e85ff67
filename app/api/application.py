"""The HTTP application: routes, errors, limits and the docs page."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from starlette.types import Lifespan

from app.api import (
    actions,
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
    limits,
    replicas,
    runs,
    scheduler,
    schedules,
    spans,
    stats,
    versions,
)
from app.api.body_limit import BodyLimit
from app.api.contract import TAGS, complete
from app.api.errors import handle_errors
from app.api.nosniff import NoSniff
from app.api.paths import SentPaths
from app.domain.replica import Role

_DESCRIPTION = (
    "Cron for HTTP endpoints that keeps a ledger: every instant at which a job was due ends as a run, or within a span,"
    " that says what happened to it."
)


_OF_JOBS = (jobs, actions, runs, backfills, callbacks, spans, versions, explanations)
_ROUTES = (*_OF_JOBS, calendars, limits, schedules, forecast, stats, events, scheduler, replicas, entries)


class Api(FastAPI):
    """FastAPI, with a document that tells every error."""

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            self.openapi_schema = complete(super().openapi())
        return self.openapi_schema


def build_api(
    *, docs_url: str, version: str, role: Role = Role.ALL, lifespan: Lifespan[FastAPI] | None = None
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
    handle_errors(api)
    api.add_middleware(BodyLimit)
    api.add_middleware(SentPaths)
    api.add_middleware(NoSniff)
    return api
