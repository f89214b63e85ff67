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
    explanations,
    forecast,
    health,
    jobs,
    limits,
    runs,
    scheduler,
    schedules,
    spans,
    versions,
)
from app.api.body_limit import BodyLimit
from app.api.contract import TAGS, complete
from app.api.errors import handle_errors
from app.api.paths import SentPaths

_DESCRIPTION = (
    "Cron for HTTP endpoints that keeps a ledger: every instant at which a job was due ends as a run, or within a span,"
    " that says what happened to it."
)


class Api(FastAPI):
    """FastAPI, with a document that tells every error."""

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            self.openapi_schema = complete(super().openapi())
        return self.openapi_schema


def build_api(*, docs_url: str, version: str, lifespan: Lifespan[FastAPI] | None = None) -> FastAPI:
    """The lifespan puts `services` and `metrics` on the application's state."""
    api = Api(
        title="Cronledger",
        version=version,
        description=_DESCRIPTION,
        license_info={"name": "MIT", "identifier": "MIT"},
        openapi_tags=TAGS,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
    )
    of_jobs = (jobs, actions, runs, backfills, callbacks, spans, versions, explanations)
    for each in (*of_jobs, calendars, limits, schedules, forecast, scheduler, entries, health):
        api.include_router(each.router)
    docs.add_docs(api, docs_url)
    handle_errors(api)
    api.add_middleware(BodyLimit)
    api.add_middleware(SentPaths)
    return api
