"""`?dry_run=true`: everything that a change does, but its commit."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Query, Response

from app.api.dependencies import Asked, answer
from app.api.described import ETAG, Responses
from app.api.schemas.fields import QueryFlag
from app.api.schemas.job import JobOut, NextTime, RehearsedJob
from app.domain.job import PersistedJob
from app.service.jobs import JobService
from app.service.preview import local_times

NEXT_TIMES = 5

REHEARSED: Responses = {200: {"description": "The job as it would be: a dry run.", "model": RehearsedJob}}
JOB_OR_REHEARSED: Responses = {
    200: {
        "description": "The job; from a dry run as it would be, without an ETag.",
        "headers": {"ETag": ETAG["ETag"] | {"required": False}},
        "model": JobOut | RehearsedJob,
    }
}


async def _changing(
    asked: Asked,
    *,
    dry_run: Annotated[
        QueryFlag, Query(description="Validate the whole, and show the job as it would be. Nothing is written.")
    ] = False,
) -> JobService:
    return asked.jobs.rehearsal() if dry_run else asked.jobs


Changing = Annotated[JobService, Depends(_changing)]
"""For a change that may be a dry run."""


async def rehearsed_answer(jobs: JobService, job: PersistedJob) -> Response:
    """The job with what would be due next."""
    times, excluded = await jobs.upcoming(job, NEXT_TIMES)
    local = local_times(times, job.timezone, excluded) if times else []
    return answer(RehearsedJob.of_next(job, map(NextTime.of, local)))
