"""Limits: how many runs of jobs that name the same key may be called at once, or in a second."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body, Path, Query, Request, Response

from app.api import cursors
from app.api.dependencies import Asked, answer
from app.api.described import LOCATION, PAGE, Responses, failing
from app.api.guarded import Guarded
from app.api.links import next_link
from app.api.paths import limit_path
from app.api.schemas.limit import EXAMPLE, LimitIn, LimitOut, LimitPage
from app.api.schemas.page import PageQuery
from app.api.schemas.policies import Key

router = APIRouter(prefix="/v1/limits", tags=["Limits"], route_class=Guarded)

_LIMIT: Responses = {200: {"description": "The limit."}}
_MADE: Responses = {201: {"description": "The limit was made.", "headers": LOCATION, "model": LimitOut}}
_GONE: Responses = {204: {"description": "The limit is gone."}}
_EXAMPLES: dict[str, Any] = {
    "seven at once": {"value": EXAMPLE},
    "ten in a second": {"value": {"rate_per_second": 10}},
}

LimitKey = Annotated[Key, Path(description="What jobs name as `concurrency_key`.", examples=["warehouse"])]


@router.get("", operation_id="listLimits", summary="List limits", response_model=LimitPage, responses=PAGE)
async def list_limits(request: Request, asked: Asked, query: Annotated[PageQuery, Query()]) -> Response:
    """By key, a page at a time. A key without a limit holds nothing up, and is not here."""
    after = cursors.decode(asked.page_key, "limits", query.cursor, cursors.name)
    found = await asked.limits.page(after, query.limit + 1)
    page = found[: query.limit]
    cursor = cursors.encode(asked.page_key, "limits", page[-1].key) if len(found) > query.limit else None
    return answer(
        LimitPage(items=[LimitOut.of(limit) for limit in page], next_cursor=cursor), headers=next_link(request, cursor)
    )


@router.get(
    "/{key:segment}", operation_id="getLimit", summary="Read a limit", response_model=LimitOut, responses=failing(404)
)
async def get_limit(asked: Asked, key: LimitKey) -> Response:
    return answer(LimitOut.of(await asked.limits.get(key)))


@router.put(
    "/{key:segment}",
    operation_id="putLimit",
    summary="Create or replace a limit",
    response_model=LimitOut,
    responses=_LIMIT | _MADE,
)
async def put_limit(
    request: Request, asked: Asked, key: LimitKey, limit: Annotated[LimitIn, Body(openapi_examples=_EXAMPLES)]
) -> Response:
    """It holds over all jobs that name the key and all replicas, from the next start on. Calls under way go on."""
    stored, is_new = await asked.limits.put(key, limit.max_concurrency, limit.rate_per_second)
    if is_new:
        return answer(LimitOut.of(stored), 201, {"Location": limit_path(request, key)})
    return answer(LimitOut.of(stored))


@router.delete(
    "/{key:segment}",
    operation_id="deleteLimit",
    summary="Delete a limit",
    status_code=204,
    response_class=Response,
    responses=_GONE | failing(404),
)
async def delete_limit(asked: Asked, key: LimitKey) -> Response:
    """What waits for it may start within a second."""
    await asked.limits.delete(key)
    return Response(status_code=204)
