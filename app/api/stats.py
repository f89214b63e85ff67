"""What became of what was due, in numbers."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from app.api import cursors
from app.api.dependencies import Asked, answer
from app.api.described import PAGE, failing
from app.api.guarded import Guarded
from app.api.links import next_link
from app.api.schemas.stats import StatsPage, StatsQuery
from app.domain.errors import InvalidInput
from app.service.stats import StatsAsked

router = APIRouter(prefix="/v1/stats", tags=["History"], route_class=Guarded)


@router.get(
    "",
    operation_id="getStats",
    summary="What became of what was due, in numbers",
    response_model=StatsPage,
    responses=PAGE | failing(404),
)
async def get_stats(request: Request, asked: Asked, query: Annotated[StatsQuery, Query()]) -> Response:
    """In all and per job: what was due by the versions of the schedules, and what became of it.

    Of runs that schedules made; those that people started are left out.
    """
    if query.job is not None and query.job_id is not None:
        raise InvalidInput("job and job_id are both given.", field="job_id", remedy="Use one of them.")
    after = cursors.decode(asked.page_key, "stats", query.cursor, cursors.job_id)
    wanted = StatsAsked(since=query.since, until=query.until, job=query.job or query.job_id)
    stats, more = await asked.stats.stats(wanted, after, query.limit)
    cursor = cursors.encode(asked.page_key, "stats", stats.jobs[-1].job_id) if more else None
    return answer(StatsPage.of_stats(stats, cursor), headers=next_link(request, cursor))
