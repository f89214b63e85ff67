"""Callbacks: the one path for targets. The token in it is the key."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Body, Path, Response

from app.api import cursors
from app.api.dependencies import Asked
from app.api.described import Responses, failing
from app.api.once import OnceRoute
from app.api.schemas.callback import EXAMPLES, CallbackIn
from app.domain.errors import CallbackNotFound

router = APIRouter(prefix="/v1/callbacks", tags=["Callbacks"], route_class=OnceRoute)

_HEARD: Responses = {204: {"description": "It was heard."}}


@router.post(
    "/{run_id}/{token:segment}",
    operation_id="reportCompletion",
    summary="Say what became of a run",
    status_code=204,
    response_class=Response,
    responses=_HEARD | failing(404, 409),
)
async def report_completion(
    asked: Asked,
    run_id: Annotated[UUID, Path(description="The run's id.")],
    token: Annotated[str, Path(description="As it stands in `Cronledger-Callback`; each attempt has its own.")],
    said: Annotated[CallbackIn, Body(openapi_examples=EXAMPLES)],
) -> Response:
    """The target POSTs here after it has answered 202 to a job with `async_completion`, and needs no other key.

    The first end counts; a later one is a conflict. It may come before the answer.
    """
    if not cursors.is_possible(run_id):
        raise CallbackNotFound
    await asked.callbacks.report(run_id, token, said.status, said.error, said.result)
    return Response(status_code=204)
