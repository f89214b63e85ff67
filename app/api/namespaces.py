"""Namespaces: tenants, none of which sees another's jobs, and what each may have."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body, Path, Query, Request, Response

from app.api import cursors
from app.api.dependencies import Asked, answer
from app.api.described import LOCATION, PAGE, Responses, failing
from app.api.guarded import Guarded
from app.api.links import next_link
from app.api.paths import namespace_path
from app.api.schemas.namespace import EXAMPLE, NamespaceIn, NamespaceOut, NamespacePage
from app.api.schemas.page import PageQuery
from app.domain.namespace import NAME_PATTERN

router = APIRouter(prefix="/v1/namespaces", tags=["Namespaces"], route_class=Guarded)

_NAMESPACE: Responses = {200: {"description": "The namespace."}}
_MADE: Responses = {201: {"description": "The namespace was made.", "headers": LOCATION, "model": NamespaceOut}}
_GONE: Responses = {204: {"description": "The namespace is gone."}}
_EXAMPLES: dict[str, Any] = {"with quotas": {"value": EXAMPLE}, "without": {"value": {}}}

Name = Annotated[str, Path(pattern=NAME_PATTERN, description="The namespace's name.", examples=["billing"])]


@router.get("", operation_id="listNamespaces", summary="List namespaces", response_model=NamespacePage, responses=PAGE)
async def list_namespaces(request: Request, asked: Asked, query: Annotated[PageQuery, Query()]) -> Response:
    """By name, a page at a time. A key of another namespace than `default` sees its own alone."""
    after = cursors.decode(asked.page_key, "namespaces", query.cursor, cursors.name)
    found = await asked.namespaces.page(after, query.limit + 1)
    items = [NamespaceOut.of(each) for each in found[: query.limit]]
    cursor = cursors.encode(asked.page_key, "namespaces", items[-1].name) if len(found) > query.limit else None
    return answer(NamespacePage(items=items, next_cursor=cursor), headers=next_link(request, cursor))


@router.get(
    "/{name:segment}",
    operation_id="getNamespace",
    summary="Read a namespace",
    response_model=NamespaceOut,
    responses=_NAMESPACE | failing(404),
)
async def get_namespace(asked: Asked, name: Name) -> Response:
    return answer(NamespaceOut.of(await asked.namespaces.get(name)))


@router.put(
    "/{name:segment}",
    operation_id="putNamespace",
    summary="Create a namespace, or give it quotas",
    response_model=NamespaceOut,
    responses=_NAMESPACE | _MADE | failing(409),
)
async def put_namespace(
    request: Request, asked: Asked, name: Name, wanted: Annotated[NamespaceIn, Body(openapi_examples=_EXAMPLES)]
) -> Response:
    """Takes a key of `default`. Quotas hold for what is made from then on; jobs that are there stay and go on.

    The name of a namespace that was deleted is not given again.
    """
    made, is_new = await asked.namespaces.put(name, wanted.quotas())
    if is_new:
        return answer(NamespaceOut.of(made), 201, {"Location": namespace_path(request, name)})
    return answer(NamespaceOut.of(made))


@router.delete(
    "/{name:segment}",
    operation_id="deleteNamespace",
    summary="Delete a namespace",
    status_code=204,
    response_class=Response,
    responses=_GONE | failing(404, 409),
)
async def delete_namespace(asked: Asked, name: Name) -> Response:
    """Takes a key of `default`, and a namespace with nothing in it: no job, calendar, limit, secret, or key that holds.

    Its runs are kept for as long as others, for whoever may read the database.
    """
    await asked.namespaces.delete(name)
    return Response(status_code=204)
