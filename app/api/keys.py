"""API keys: who may use this API, and for what."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Body, Path, Query, Request, Response

from app.api import cursors
from app.api.dependencies import Asked, answer
from app.api.described import LOCATION, PAGE, Responses, failing
from app.api.links import next_link
from app.api.once import OnceRoute
from app.api.paths import key_path
from app.api.schemas.api_key import EXAMPLE, KeyIn, KeyOut, KeyPage, KeyPatch, NewKeyOut, facts
from app.api.schemas.page import PageQuery

router = APIRouter(prefix="/v1/keys", tags=["Keys"], route_class=OnceRoute)

_SECRET = {"Cache-Control": "no-store"}
_MADE: Responses = {201: {"description": "The key, shown this once.", "headers": LOCATION}}
_KEY: Responses = {200: {"description": "The key."}}

_CHANGES: dict[str, Any] = {
    "less": {"value": {"scopes": ["jobs:read"]}},
    "until": {"value": {"expires_at": "2099-01-01T00:00:00Z"}},
}

KeyId = Annotated[UUID, Path(description="The key's id, which is not what its holder sends.")]


@router.post(
    "",
    operation_id="createKey",
    summary="Create an API key",
    status_code=201,
    response_model=NewKeyOut,
    responses=_MADE,
)
async def create_key(
    request: Request,
    asked: Asked,
    key: Annotated[KeyIn, Body(openapi_examples={"for a deployment": {"value": EXAMPLE}})],
) -> Response:
    """The answer holds the key itself, of which only a digest is kept; so it takes no Idempotency-Key."""
    made, told = await asked.keys.create(key.name, frozenset(key.scopes), key.expires_at)
    return answer(NewKeyOut(**facts(made), key=told), 201, _SECRET | {"Location": key_path(request, made.id)})


@router.get("", operation_id="listKeys", summary="List API keys", response_model=KeyPage, responses=PAGE)
async def list_keys(request: Request, asked: Asked, query: Annotated[PageQuery, Query()]) -> Response:
    """Oldest first, a page at a time, those that are revoked among them."""
    after = cursors.decode(asked.page_key, "keys", query.cursor, cursors.key_id)
    found = await asked.keys.page(after, query.limit + 1)
    items = [KeyOut.of(key) for key in found[: query.limit]]
    cursor = cursors.encode(asked.page_key, "keys", items[-1].id) if len(found) > query.limit else None
    return answer(KeyPage(items=items, next_cursor=cursor), headers=next_link(request, cursor))


@router.get(
    "/{key_id}",
    operation_id="getKey",
    summary="Read an API key",
    response_model=KeyOut,
    responses=_KEY | failing(404),
)
async def get_key(asked: Asked, key_id: KeyId) -> Response:
    return answer(KeyOut.of(await asked.keys.get(key_id)))


@router.patch(
    "/{key_id}",
    operation_id="patchKey",
    summary="Change an API key",
    response_model=KeyOut,
    responses=_KEY | failing(404),
)
async def patch_key(
    asked: Asked, key_id: KeyId, change: Annotated[KeyPatch, Body(openapi_examples=_CHANGES)]
) -> Response:
    """Its name, what it allows, when it expires: on every replica within 5 s. One that is revoked stays so."""
    return answer(KeyOut.of(await asked.keys.change(key_id, change.given())))


@router.post(
    "/{key_id}/revoke",
    operation_id="revokeKey",
    summary="Revoke an API key",
    response_model=KeyOut,
    responses=_KEY | failing(404),
)
async def revoke_key(asked: Asked, key_id: KeyId) -> Response:
    """For ever, on every replica within 5 s. It stays in the list, with when that was."""
    return answer(KeyOut.of(await asked.keys.revoke(key_id)))
