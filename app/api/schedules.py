"""Schedules to look at before any job has them."""

from __future__ import annotations

from asyncio import to_thread
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Body, Response

from app.api.dependencies import Asked, answer
from app.api.once import OnceRoute
from app.api.schemas.job import NextTime
from app.api.schemas.preview import EXAMPLE, PreviewIn, PreviewOut
from app.domain.exclude import calendar_names
from app.domain.exclusion import Source
from app.domain.recurrence import RESOLUTION
from app.service.preview import Preview, preview

router = APIRouter(prefix="/v1/schedules", tags=["Schedules"], route_class=OnceRoute)


@router.post("/preview", operation_id="previewSchedule", summary="Look at a schedule", response_model=PreviewOut)
async def preview_schedule(
    asked: Asked,
    wanted: Annotated[PreviewIn, Body(openapi_examples={"a gap": {"value": EXAMPLE}})],
) -> Response:
    """In words and in times, with warnings of what may surprise. Nothing is stored."""
    names = calendar_names(tuple(wanted.exclude))
    found = await to_thread(_preview, wanted, await asked.calendars.listed(names) if names else {})
    times = [NextTime.of(time) for time in found.occurrences]
    return answer(PreviewOut(description=found.description, occurrences=times, warnings=found.warnings))


def _preview(wanted: PreviewIn, calendars: Mapping[str, Source]) -> Preview:
    """`from` counts itself; from now on means after this moment, as for a job that is made now."""
    return preview(
        wanted.schedule,
        wanted.timezone,
        after=wanted.from_ - RESOLUTION if wanted.from_ else datetime.now(UTC),
        count=wanted.count,
        day_rule=wanted.day_rule,
        dst_gap=wanted.dst_gap,
        dst_overlap=wanted.dst_overlap,
        name=wanted.name or "",
        starts_at=wanted.starts_at,
        exclude=tuple(wanted.exclude),
        calendars=calendars,
    )
