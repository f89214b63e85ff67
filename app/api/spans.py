"""The stretches of a job's occurrences that have no rows of their own."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from app.api import cursors
from app.api.dependencies import Asked, Name, answer
from app.api.described import PAGE, failing
from app.api.guarded import Guarded
from app.api.links import next_link
from app.api.schemas.page import PageQuery
from app.api.schemas.span import SpanOut, SpanPage

router = APIRouter(prefix="/v1/jobs/{name:segment}/spans", tags=["Runs"], route_class=Guarded)


@router.get(
    "",
    operation_id="listJobSpans",
    summary="List spans of a job",
    response_model=SpanPage,
    responses=PAGE | failing(404),
)
async def list_job_spans(request: Request, asked: Asked, name: Name, query: Annotated[PageQuery, Query()]) -> Response:
    """When the job was paused, or nobody was there to run it. Newest first."""
    before = cursors.decode(asked.page_key, "spans", query.cursor, cursors.number)
    found = await asked.runs.spans(name, before, query.limit + 1)
    page = found[: query.limit]
    cursor = cursors.encode(asked.page_key, "spans", page[-1].id) if len(found) > query.limit else None
    return answer(
        SpanPage(items=[SpanOut.of(span) for span in page], next_cursor=cursor), headers=next_link(request, cursor)
    )
