"""Probes and metrics."""

from __future__ import annotations

from fastapi import APIRouter, Response

from app.api.dependencies import Asked, Measured, answer
from app.api.guarded import Guarded
from app.api.schemas.health import CheckOut, LiveOut, ReadyOut
from app.service.health import database_reached, readiness

router = APIRouter(tags=["Health"], route_class=Guarded)

_STALLED = {"description": "A loop stands still: restart this replica.", "model": LiveOut}
_UNREADY = {"description": "Not ready: send no requests here.", "model": ReadyOut}
_TEXT = {"description": "The text format of Prometheus.", "content": {"text/plain": {"schema": {"type": "string"}}}}


@router.get(
    "/livez", operation_id="getLiveness", summary="Is it alive?", response_model=LiveOut, responses={503: _STALLED}
)
async def get_liveness(asked: Asked) -> Response:
    """Needs no database: a replica that waits for it is alive."""
    stalled = asked.scheduler.stalled()
    return answer(LiveOut(status="stalled" if stalled else "ok", stalled=stalled), 503 if stalled else 200)


@router.get(
    "/readyz", operation_id="getReadiness", summary="Is it ready?", response_model=ReadyOut, responses={503: _UNREADY}
)
async def get_readiness(asked: Asked) -> Response:
    """The database reached and migrated, the loops ticking, the jobs loaded, and no shutdown begun."""
    checks = [
        CheckOut.model_validate(check, from_attributes=True)
        for check in await readiness(asked.database, asked.scheduler)
    ]
    ready = all(check.ok for check in checks)
    return answer(ReadyOut(status="ready" if ready else "unready", checks=checks), 200 if ready else 503)


@router.get(
    "/metrics",
    operation_id="getMetrics",
    summary="Metrics for Prometheus",
    response_class=Response,
    responses={200: _TEXT},
)
async def get_metrics(asked: Asked, measured: Measured) -> Response:
    content, media_type = measured.render(database_up=await database_reached(asked.database))
    return Response(content, headers={"Content-Type": media_type})
