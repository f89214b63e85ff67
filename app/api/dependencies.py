"""What the routes ask the application for."""

from __future__ import annotations

from typing import Annotated, cast

from fastapi import Depends, Header, Path, Request
from pydantic import BaseModel
from starlette.responses import Response

from app.api.schemas.fields import JobName
from app.metrics import Metrics
from app.service.services import Services


async def _services(request: Request) -> Services:
    return cast("Services", request.app.state.services)


async def _metrics(request: Request) -> Metrics:
    return cast("Metrics", request.app.state.metrics)


Asked = Annotated[Services, Depends(_services)]
Measured = Annotated[Metrics, Depends(_metrics)]
Name = Annotated[JobName, Path(description="The job's name, percent-encoded.", examples=["nightly-report"])]
IfMatch = Annotated[
    str | None,
    Header(alias="If-Match", description="ETag of what the change was made for; its version alone counts."),
]
IfNoneMatch = Annotated[
    str | None, Header(alias="If-None-Match", description="ETag of the answer that the caller has already.")
]


def answer(model: BaseModel, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """The model as JSON, without validating again what was just made."""
    content = model.model_dump_json(by_alias=True)
    return Response(content, status_code=status, media_type="application/json", headers=headers)
