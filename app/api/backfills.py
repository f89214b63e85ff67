"""Backfills: create, list, read, cancel."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Body, Path, Query, Request, Response

from app.api import cursors
from app.api.dependencies import Asked, Name, answer
from app.api.described import LOCATION, PAGE, Responses, failing
from app.api.links import next_link
from app.api.once import OnceRoute
from app.api.paths import backfill_path
from app.api.schemas.backfill import EXAMPLE, BackfillIn, BackfillOut, BackfillPage, BackfillQuery
from app.api.schemas.note import CANCEL_EXAMPLES, CancelIn

router = APIRouter(prefix="/v1", tags=["Backfills"], route_class=OnceRoute)

_MADE: Responses = {202: {"description": "The backfill, whose runs are pending.", "headers": LOCATION}}
_CANCELED: Responses = {
    200: {"description": "The backfill, whose runs have ended.", "model": BackfillOut},
    202: {"description": "The backfill, of which calls are to be cut."},
}


BackfillId = Annotated[UUID, Path(description="The backfill's id.")]


@router.post(
    "/jobs/{name:segment}/backfill",
    operation_id="createBackfill",
    summary="Run past occurrences",
    status_code=202,
    response_model=BackfillOut,
    responses=_MADE | failing(404, 409),
)
async def create_backfill(
    request: Request,
    asked: Asked,
    name: Name,
    wanted: Annotated[BackfillIn, Body(openapi_examples={"half a year": {"value": EXAMPLE}})],
) -> Response:
    """One run for each past occurrence of the schedule as the job has it now, oldest first; also of a paused job.

    What the job excludes is left out.
    """
    made = await asked.backfills.create(name, wanted.request())
    return answer(BackfillOut.of(*made), 202, {"Location": backfill_path(request, made[0].id)})


@router.get(
    "/backfills", operation_id="listBackfills", summary="List backfills", response_model=BackfillPage, responses=PAGE
)
async def list_backfills(request: Request, asked: Asked, query: Annotated[BackfillQuery, Query()]) -> Response:
    """Newest first. Those of deleted jobs are here too."""
    before = cursors.decode(asked.page_key, "backfills", query.cursor, cursors.run_id)
    found = await asked.backfills.page(query.job, before, query.limit + 1)
    page = found[: query.limit]
    cursor = cursors.encode(asked.page_key, "backfills", page[-1][0].id) if len(found) > query.limit else None
    items = [BackfillOut.of(*each) for each in page]
    return answer(BackfillPage(items=items, next_cursor=cursor), headers=next_link(request, cursor))


@router.get(
    "/backfills/{backfill_id}",
    operation_id="getBackfill",
    summary="Read a backfill",
    response_model=BackfillOut,
    responses=failing(404),
)
async def get_backfill(asked: Asked, backfill_id: BackfillId) -> Response:
    """What was asked for, and how far it is; `GET /v1/runs?backfill_id=` lists its runs."""
    return answer(BackfillOut.of(*await asked.backfills.get(backfill_id)))


@router.post(
    "/backfills/{backfill_id}/cancel",
    operation_id="cancelBackfill",
    summary="Cancel a backfill",
    status_code=202,
    response_model=BackfillOut,
    responses=_CANCELED | failing(404, 409),
)
async def cancel_backfill(
    asked: Asked,
    backfill_id: BackfillId,
    said: Annotated[CancelIn | None, Body(openapi_examples=CANCEL_EXAMPLES)] = None,
) -> Response:
    """Runs that are pending or waiting have ended then. The calls of the others are cut within 2 s, wherever they are.

    Canceling it once more changes nothing.
    """
    backfill, progress = await asked.backfills.cancel(backfill_id, said.note if said else None)
    return answer(BackfillOut.of(backfill, progress), 202 if progress.unfinished else 200)
