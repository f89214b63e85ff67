"""What comes next, over all jobs."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from app.api.dependencies import Asked, answer
from app.api.guarded import Guarded
from app.api.schemas.forecast import ForecastOut, ForecastQuery

router = APIRouter(prefix="/v1/forecast", tags=["Forecast"], route_class=Guarded)


@router.get("", operation_id="getForecast", summary="What is due ahead", response_model=ForecastOut)
async def get_forecast(asked: Asked, query: Annotated[ForecastQuery, Query()]) -> Response:
    """How many runs each minute will bring, the busiest minutes, and the jobs that make them.

    Of the jobs that are enabled and wait for an occurrence; while the scheduler is paused there are none.
    """
    return answer(ForecastOut.of(await asked.forecast.forecast(query.hours)))
