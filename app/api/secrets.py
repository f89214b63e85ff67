"""Secrets: told once, named by jobs, never read again."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body, Path, Query, Request, Response

from app.api import cursors
from app.api.dependencies import Asked, answer
from app.api.described import LOCATION, PAGE, Responses, failing
from app.api.links import next_link
from app.api.once import OnceRoute
from app.api.paths import secret_path
from app.api.schemas.fields import NAME_PATTERN
from app.api.schemas.page import PageQuery
from app.api.schemas.secret import EXAMPLE, SecretIn, SecretOut, SecretPage, SecretValue

router = APIRouter(prefix="/v1/secrets", tags=["Secrets"], route_class=OnceRoute)

_SECRET: Responses = {200: {"description": "The secret, but for its value."}}
_MADE: Responses = {201: {"description": "The secret was made.", "headers": LOCATION, "model": SecretOut}}
_GONE: Responses = {204: {"description": "The secret is gone."}}
_PUT_EXAMPLES: dict[str, Any] = {"a value": {"value": {"value": EXAMPLE["value"]}}}

Name = Annotated[str, Path(pattern=NAME_PATTERN, description="The secret's name.", examples=["billing-token"])]


@router.post(
    "",
    operation_id="createSecret",
    summary="Create a secret",
    status_code=201,
    response_model=SecretOut,
    responses=_MADE | failing(409),
)
async def create_secret(
    request: Request,
    asked: Asked,
    secret: Annotated[SecretIn, Body(openapi_examples={"a token": {"value": EXAMPLE}})],
) -> Response:
    made = await asked.secrets.create(secret.name, secret.value)
    return answer(SecretOut.of(made), 201, {"Location": secret_path(request, made.name)})


@router.get("", operation_id="listSecrets", summary="List secrets", response_model=SecretPage, responses=PAGE)
async def list_secrets(request: Request, asked: Asked, query: Annotated[PageQuery, Query()]) -> Response:
    """By name, a page at a time, without their values."""
    after = cursors.decode(asked.page_key, "secrets", query.cursor, cursors.name)
    found = await asked.secrets.page(after, query.limit + 1)
    items = [SecretOut.of(secret) for secret in found[: query.limit]]
    cursor = cursors.encode(asked.page_key, "secrets", items[-1].name) if len(found) > query.limit else None
    return answer(SecretPage(items=items, next_cursor=cursor), headers=next_link(request, cursor))


@router.get(
    "/{name:segment}",
    operation_id="getSecret",
    summary="Read a secret, but for its value",
    response_model=SecretOut,
    responses=_SECRET | failing(404),
)
async def get_secret(asked: Asked, name: Name) -> Response:
    return answer(SecretOut.of(await asked.secrets.get(name)))


@router.put(
    "/{name:segment}",
    operation_id="putSecret",
    summary="Create a secret, or give it another value",
    response_model=SecretOut,
    responses=_SECRET | _MADE,
)
async def put_secret(
    request: Request,
    asked: Asked,
    name: Name,
    secret: Annotated[SecretValue, Body(openapi_examples=_PUT_EXAMPLES)],
) -> Response:
    """Calls carry the new value on every replica within 5 s."""
    stored, is_new = await asked.secrets.replace(name, secret.value)
    if is_new:
        return answer(SecretOut.of(stored), 201, {"Location": secret_path(request, name)})
    return answer(SecretOut.of(stored))


@router.delete(
    "/{name:segment}",
    operation_id="deleteSecret",
    summary="Delete a secret",
    status_code=204,
    responses=_GONE | failing(404, 409),
)
async def delete_secret(asked: Asked, name: Name) -> Response:
    """Not while jobs name it."""
    await asked.secrets.delete(name)
    return Response(status_code=204)
