"""What may be done with a job: pause, resume, trigger, and ask when it is due."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from app.api.dependencies import Asked, IfMatch, Name, answer
from app.api.described import JOB, QUEUED, failing
from app.api.etag import wanted_version
from app.api.jobs import job_answer
from app.api.once import OnceRoute
from app.api.paths import run_path
from app.api.schemas.job import JobOut, NextTime, NextTimes
from app.api.schemas.note import PAUSE_EXAMPLES, PauseIn
from app.api.schemas.page import Limit
from app.api.schemas.run import RunOut
from app.service.preview import local_times

router = APIRouter(prefix="/v1/jobs/{name:segment}", tags=["Jobs"], route_class=OnceRoute)


class NextQuery(BaseModel):
    """How far to look."""

    model_config = ConfigDict(extra="forbid")

    count: Limit = Field(10, description="How many times.")


@router.post(
    "/pause", operation_id="pauseJob", summary="Pause a job", response_model=JobOut, responses=JOB | failing(404, 412)
)
async def pause_job(
    asked: Asked,
    name: Name,
    said: Annotated[PauseIn | None, Body(openapi_examples=PAUSE_EXAMPLES)] = None,
    if_match: IfMatch = None,
) -> Response:
    """What is due from now on stands in a span, and is not run afterwards.

    A job that is paused already is paused anew: its note and its `until` are what was said last.
    """
    said = said or PauseIn()
    version = await wanted_version(asked.jobs, name, if_match)
    paused = await asked.jobs.set_enabled(name, enabled=False, if_version=version, note=said.note, until=said.until)
    return job_answer(paused)


@router.post(
    "/resume",
    operation_id="resumeJob",
    summary="Resume a job",
    response_model=JobOut,
    responses=JOB | failing(404, 412),
)
async def resume_job(asked: Asked, name: Name, if_match: IfMatch = None) -> Response:
    """The job goes on with the next time that is due."""
    version = await wanted_version(asked.jobs, name, if_match)
    return job_answer(await asked.jobs.set_enabled(name, enabled=True, if_version=version))


@router.post(
    "/trigger",
    operation_id="triggerJob",
    summary="Run a job now",
    status_code=202,
    response_model=RunOut,
    responses=QUEUED | failing(404, 409),
)
async def trigger_job(request: Request, asked: Asked, name: Name) -> Response:
    """Once, also a job that is paused. Its schedule goes on as before."""
    run = await asked.runs.trigger(name)
    return answer(RunOut.of(run), 202, {"Location": run_path(request, run.id)})


@router.get(
    "/next",
    operation_id="listNextTimes",
    summary="When a job is due next",
    response_model=NextTimes,
    responses=failing(404),
)
async def list_next_times(asked: Asked, name: Name, query: Annotated[NextQuery, Query()]) -> Response:
    """What the schedule says, also of a job that is paused, and of what the job leaves out."""
    job, times, excluded = await asked.jobs.next_times(name, query.count)
    local = local_times(times, job.timezone, excluded) if times else []
    return answer(NextTimes(items=[NextTime.of(time) for time in local]))
