"""Jobs: create, list, read, replace, change, delete."""

from __future__ import annotations

import re
from typing import Annotated, Any

from fastapi import APIRouter, Body, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from app.api import cursors
from app.api.dependencies import Asked, IfMatch, IfNoneMatch, Name, answer
from app.api.described import ETAG, JOB, LOCATION, NOT_MODIFIED, PAGE, Responses, failing
from app.api.dry_run import JOB_OR_REHEARSED, REHEARSED, Changing, rehearsed_answer
from app.api.etag import tagged, wanted_version
from app.api.links import next_link
from app.api.once import OnceRoute
from app.api.paths import job_path
from app.api.schemas.fields import NAME_PATTERN
from app.api.schemas.job import JobOut, JobPage, JobQuery
from app.api.schemas.job_in import EXAMPLE, JobFields, JobIn, JobPatch, JobPut
from app.domain.errors import InvalidInput, JobNotFound
from app.domain.job import JobDefinition, PersistedJob
from app.service.jobs import JobService

router = APIRouter(prefix="/v1/jobs", tags=["Jobs"], route_class=OnceRoute)

_MADE: Responses = {201: {"description": "The job was made.", "headers": LOCATION | ETAG, "model": JobOut}}
_GONE: Responses = {204: {"description": "The job is gone."}}
_PATCH_TYPE = {
    "requestBody": {"content": {"application/merge-patch+json": {"schema": {"$ref": "#/components/schemas/JobPatch"}}}}
}
_PATCH_EXAMPLES: dict[str, Any] = {
    "another time": {"value": {"schedule": "0 4 * * MON-FRI"}},
    "one label more": {"value": {"labels": {"tier": "gold"}}},
}
_PUT_EXAMPLES: dict[str, Any] = {"a job": {"value": {name: value for name, value in EXAMPLE.items() if name != "name"}}}


@router.post(
    "",
    operation_id="createJob",
    summary="Create a job",
    status_code=201,
    response_model=JobOut,
    responses=_MADE | REHEARSED | failing(409),
)
async def create_job(
    request: Request,
    jobs: Changing,
    job: Annotated[JobIn, Body(openapi_examples={"a job": {"value": EXAMPLE}})],
) -> Response:
    made = await jobs.create(job.definition(job.name), zone_given="timezone" in job.model_fields_set)
    if jobs.rehearses:
        return await rehearsed_answer(jobs, made)
    return job_answer(made, 201, location=job_path(request, made.name))


@router.get("", operation_id="listJobs", summary="List jobs", response_model=JobPage, responses=PAGE)
async def list_jobs(request: Request, asked: Asked, query: Annotated[JobQuery, Query()]) -> Response:
    """By name, a page at a time. Jobs made or deleted meanwhile shift no page."""
    after = cursors.decode(asked.page_key, "jobs", query.cursor, cursors.name)
    found = await asked.jobs.page(query.filter(), after, query.limit + 1)
    jobs = found[: query.limit]
    cursor = cursors.encode(asked.page_key, "jobs", jobs[-1].name) if len(found) > query.limit else None
    return answer(
        JobPage(items=[JobOut.of(job) for job in jobs], next_cursor=cursor), headers=next_link(request, cursor)
    )


@router.get(
    "/{name:segment}",
    operation_id="getJob",
    summary="Read a job",
    response_model=JobOut,
    responses=JOB | NOT_MODIFIED | failing(404),
)
async def get_job(asked: Asked, name: Name, if_none_match: IfNoneMatch = None) -> Response:
    return job_answer(await asked.jobs.get(name), if_none_match=if_none_match)


@router.put(
    "/{name:segment}",
    operation_id="putJob",
    summary="Create or replace a job",
    response_model=JobOut,
    responses=JOB_OR_REHEARSED | _MADE | failing(409, 412),
)
async def put_job(
    request: Request,
    jobs: Changing,
    name: Name,
    job: Annotated[JobPut, Body(openapi_examples=_PUT_EXAMPLES)],
    if_match: IfMatch = None,
) -> Response:
    """What is left out goes back to its default. A job that is there already keeps its id and its ledger."""
    if job.name not in (None, name):
        raise InvalidInput(
            f"The body names the job {job.name}.", field="name", remedy="Use the name of the path, or leave it out."
        )
    version = await wanted_version(jobs, name, if_match)
    if not re.fullmatch(NAME_PATTERN, name):
        version = await _version_of_adopted(jobs, name) if version is None else version
    stored, is_new = await jobs.replace(
        job.definition(name), if_version=version, zone_given="timezone" in job.model_fields_set
    )
    if jobs.rehearses:
        return await rehearsed_answer(jobs, stored)
    return job_answer(stored, 201, location=job_path(request, name)) if is_new else job_answer(stored)


@router.patch(
    "/{name:segment}",
    operation_id="patchJob",
    summary="Change a job",
    response_model=JobOut,
    responses=JOB_OR_REHEARSED | failing(404, 412),
    openapi_extra=_PATCH_TYPE,
)
async def patch_job(
    jobs: Changing,
    name: Name,
    patch: Annotated[JobPatch, Body(openapi_examples=_PATCH_EXAMPLES)],
    if_match: IfMatch = None,
) -> Response:
    """A JSON merge patch (RFC 7396): what is left out stays, null goes back to the default.

    `{"labels": {"team": null}}` takes one label away.
    """
    given = patch.given()

    def edited(job: PersistedJob) -> JobDefinition:
        try:
            return JobFields.merged(job, given).definition(given.get("name", job.name))
        except ValidationError as error:
            raise RequestValidationError([each | {"loc": ("body", *each["loc"])} for each in error.errors()]) from error

    version = await wanted_version(jobs, name, if_match)
    changed = await jobs.edit(name, edited, if_version=version, zone_given=_keeps_zone(given))
    return await rehearsed_answer(jobs, changed) if jobs.rehearses else job_answer(changed)


@router.delete(
    "/{name:segment}",
    operation_id="deleteJob",
    summary="Delete a job",
    status_code=204,
    responses=_GONE | failing(404, 412),
)
async def delete_job(asked: Asked, name: Name, if_match: IfMatch = None) -> Response:
    """Its runs stay in the ledger; those that are pending end as canceled."""
    await asked.jobs.delete(name, if_version=await wanted_version(asked.jobs, name, if_match))
    return Response(status_code=204)


def job_answer(
    job: PersistedJob, status: int = 200, *, location: str | None = None, if_none_match: str | None = None
) -> Response:
    return tagged(JobOut.of(job), job.version, status, location=location, if_none_match=if_none_match)


async def _version_of_adopted(jobs: JobService, name: str) -> int:
    """A name outside the pattern may be kept, and not given anew."""
    try:
        return (await jobs.get(name)).version
    except JobNotFound:
        raise InvalidInput(
            f"A new job can't be named {name}.",
            field="name",
            remedy="Use 1 to 255 letters, digits, dots, underscores and hyphens, the first a letter or digit.",
        ) from None


def _keeps_zone(given: dict[str, Any]) -> bool:
    """Whether the zone is settled: a new schedule may bring its own in a prefix, null takes what it brings."""
    if "timezone" in given:
        return given["timezone"] is not None
    return not str(given.get("schedule", "")).lstrip().startswith(("TZ=", "CRON_TZ="))
