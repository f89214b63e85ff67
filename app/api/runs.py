"""The ledger: runs of all jobs or of one."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Body, Depends, Path, Query, Request, Response

from app.api import cursors
from app.api.dependencies import Asked, Name, answer
from app.api.described import PAGE, QUEUED, Responses, failing
from app.api.links import next_link
from app.api.once import OnceRoute
from app.api.paths import run_path
from app.api.schemas.attempt import AttemptOut, AttemptPage
from app.api.schemas.note import CANCEL_EXAMPLES, CancelIn
from app.api.schemas.page import PageQuery
from app.api.schemas.run import JobRunQuery, RunOut, RunPage, RunQuery
from app.db.runs import RunFilter
from app.domain.errors import RunNotFound
from app.domain.lifecycle import ENDED
from app.service.services import Services

router = APIRouter(prefix="/v1", tags=["Runs"], route_class=OnceRoute)

_CANCELED: Responses = {
    200: {"description": "The run, which has ended.", "model": RunOut},
    202: {"description": "The run, whose call is to be cut."},
}


async def _possible(run_id: Annotated[UUID, Path(description="The run's id.")]) -> UUID:
    if not cursors.is_possible(run_id):
        raise RunNotFound
    return run_id


RunId = Annotated[UUID, Depends(_possible)]


@router.get("/runs", operation_id="listRuns", summary="List runs", response_model=RunPage, responses=PAGE)
async def list_runs(request: Request, asked: Asked, query: Annotated[RunQuery, Query()]) -> Response:
    """Newest first. Runs of deleted jobs are here too."""
    return await _page(request, asked, query, query.job_id)


@router.get(
    "/jobs/{name:segment}/runs",
    operation_id="listJobRuns",
    summary="List runs of a job",
    response_model=RunPage,
    responses=PAGE | failing(404),
)
async def list_job_runs(request: Request, asked: Asked, name: Name, query: Annotated[JobRunQuery, Query()]) -> Response:
    """Newest first."""
    return await _page(request, asked, query, await asked.runs.job_id(name))


@router.get(
    "/runs/{run_id}", operation_id="getRun", summary="Read a run", response_model=RunOut, responses=failing(404)
)
async def get_run(asked: Asked, run_id: RunId) -> Response:
    return answer(RunOut.of(await asked.runs.get(run_id)))


@router.get(
    "/runs/{run_id}/attempts",
    operation_id="listAttempts",
    summary="List calls of a run",
    response_model=AttemptPage,
    responses=PAGE | failing(404),
)
async def list_attempts(
    request: Request, asked: Asked, run_id: RunId, query: Annotated[PageQuery, Query()]
) -> Response:
    """Oldest first, with their times. The one that is under way comes last."""
    after = cursors.decode(asked.page_key, "attempts", query.cursor, cursors.version)
    found = await asked.runs.attempts(run_id, after, query.limit + 1)
    page = found[: query.limit]
    cursor = cursors.encode(asked.page_key, "attempts", page[-1].fence) if len(found) > query.limit else None
    items = [AttemptOut.of(each) for each in page]
    return answer(AttemptPage(items=items, next_cursor=cursor), headers=next_link(request, cursor))


@router.post(
    "/runs/{run_id}/cancel",
    operation_id="cancelRun",
    summary="Cancel a run",
    status_code=202,
    response_model=RunOut,
    responses=_CANCELED | failing(404, 409),
)
async def cancel_run(
    asked: Asked, run_id: RunId, said: Annotated[CancelIn | None, Body(openapi_examples=CANCEL_EXAMPLES)] = None
) -> Response:
    """A run that is pending or waiting has ended then.

    The call of a running one is cut within 2 s, whichever replica makes it.
    """
    run = await asked.runs.cancel(run_id, said.note if said else None)
    return answer(RunOut.of(run), 200 if run.state in ENDED else 202)


@router.post(
    "/runs/{run_id}/retry",
    operation_id="retryRun",
    summary="Repeat a run",
    status_code=202,
    response_model=RunOut,
    responses=QUEUED | failing(404, 409),
)
async def retry_run(request: Request, asked: Asked, run_id: RunId) -> Response:
    """A new run for the same instant, with an id of its own, which calls the job as it is now."""
    run = await asked.runs.retry(run_id)
    return answer(RunOut.of(run), 202, {"Location": run_path(request, run.id)})


async def _page(request: Request, asked: Services, query: JobRunQuery, job_id: UUID | None) -> Response:
    before = cursors.decode(asked.page_key, "runs", query.cursor, cursors.run_id)
    wanted = {name: getattr(query, name) for name in ("state", "trigger", "backfill_id", "since", "until")}
    filters = RunFilter(job_id=job_id, **wanted)
    possible = query.backfill_id is None or cursors.is_possible(query.backfill_id)
    found = await asked.runs.page(filters, before, query.limit + 1) if possible else []
    page = found[: query.limit]
    cursor = cursors.encode(asked.page_key, "runs", page[-1].id) if len(found) > query.limit else None
    return answer(
        RunPage(items=[RunOut.of(run) for run in page], next_cursor=cursor), headers=next_link(request, cursor)
    )
