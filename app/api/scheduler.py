"""The stop switch of all replicas."""

from __future__ import annotations

from fastapi import APIRouter, Response

from app.api.dependencies import Asked, answer
from app.api.once import OnceRoute
from app.api.schemas.switch import SwitchOut
from app.service.switch import SwitchService

router = APIRouter(prefix="/v1/scheduler", tags=["Scheduler"], route_class=OnceRoute)


@router.get("", operation_id="getScheduler", summary="Read the stop switch", response_model=SwitchOut)
async def get_scheduler(asked: Asked) -> Response:
    return await _state(asked.switch)


@router.post("/pause", operation_id="pauseScheduler", summary="Stop every job", response_model=SwitchOut)
async def pause_scheduler(asked: Asked) -> Response:
    """Every replica stands still within a second. What is due meanwhile stands in a span of each job."""
    await asked.switch.pause()
    return await _state(asked.switch)


@router.post("/resume", operation_id="resumeScheduler", summary="Let every job go on", response_model=SwitchOut)
async def resume_scheduler(asked: Asked) -> Response:
    """No job makes up for what was due meanwhile. Jobs that are paused one by one stay so."""
    await asked.switch.resume()
    return await _state(asked.switch)


async def _state(switch: SwitchService) -> Response:
    paused, since = await switch.state()
    return answer(SwitchOut(paused=paused, since=since))
