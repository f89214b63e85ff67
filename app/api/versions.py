"""What jobs were before they became what they are."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from app.api import cursors
from app.api.dependencies import Asked, Name, answer
from app.api.described import PAGE, failing
from app.api.guarded import Guarded
from app.api.links import next_link
from app.api.schemas.page import PageQuery
from app.api.schemas.version import VersionOut, VersionPage, VersionQuery
from app.service.services import Services

router = APIRouter(prefix="/v1", tags=["History"], route_class=Guarded)


@router.get(
    "/jobs/{name:segment}/versions",
    operation_id="listJobVersions",
    summary="List versions of a job",
    response_model=VersionPage,
    responses=PAGE | failing(404),
)
async def list_job_versions(
    request: Request, asked: Asked, name: Name, query: Annotated[PageQuery, Query()]
) -> Response:
    """Newest first."""
    return await _page(request, asked, query, name)


@router.get(
    "/versions",
    operation_id="listVersions",
    summary="List versions of a job by its id",
    response_model=VersionPage,
    responses=PAGE,
)
async def list_versions(request: Request, asked: Asked, query: Annotated[VersionQuery, Query()]) -> Response:
    """Newest first, also of a deleted job; none for an id that no job has had."""
    return await _page(request, asked, query, query.job_id)


async def _page(request: Request, asked: Services, query: PageQuery, job: str | UUID) -> Response:
    before = cursors.decode(asked.page_key, "versions", query.cursor, cursors.version)
    found = await asked.history.versions(job, before, query.limit + 1)
    page = found[: query.limit]
    cursor = cursors.encode(asked.page_key, "versions", page[-1].version) if len(found) > query.limit else None
    items = [VersionOut.of(each) for each in page]
    return answer(VersionPage(items=items, next_cursor=cursor), headers=next_link(request, cursor))
