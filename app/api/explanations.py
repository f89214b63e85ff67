"""What became of instants: why a job did not run, why it ran late, and what comes next."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from app.api import cursors
from app.api.dependencies import Asked, Name, answer
from app.api.described import PAGE, failing
from app.api.guarded import Guarded
from app.api.links import next_link
from app.api.schemas.explanation import ExplainQuery, ExplanationOut, ExplanationPage, JobExplainQuery
from app.service.services import Services

router = APIRouter(prefix="/v1", tags=["History"], route_class=Guarded)


@router.get(
    "/jobs/{name:segment}/explain",
    operation_id="explainJob",
    summary="What became of an instant",
    response_model=ExplanationPage,
    responses=PAGE | failing(404),
)
async def explain_job(
    request: Request, asked: Asked, name: Name, query: Annotated[JobExplainQuery, Query()]
) -> Response:
    """Each instant at which the job was due, with its run or span, and a sentence that says why.

    What was due is computed from the versions of the schedule. An instant that was not due is told of too.
    """
    return await _page(request, asked, query, name)


@router.get(
    "/explain",
    operation_id="explain",
    summary="What became of an instant, by the job's id",
    response_model=ExplanationPage,
    responses=PAGE | failing(404),
)
async def explain(request: Request, asked: Asked, query: Annotated[ExplainQuery, Query()]) -> Response:
    """The same, also for a deleted job."""
    return await _page(request, asked, query, query.job_id)


async def _page(request: Request, asked: Services, query: JobExplainQuery, job: str | UUID) -> Response:
    after = cursors.decode(asked.page_key, "instants", query.cursor, cursors.instant)
    found, more = await asked.history.explain(job, query.at, after, query.limit)
    cursor = cursors.encode(asked.page_key, "instants", cursors.microseconds(found[-1].at)) if more else None
    items = [ExplanationOut.of(each) for each in found]
    return answer(ExplanationPage(items=items, next_cursor=cursor), headers=next_link(request, cursor))
