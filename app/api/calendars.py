"""Calendars: create, list, read, replace, fill from a file, delete."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body, Path, Query, Request, Response

from app.api import cursors
from app.api.dependencies import Asked, IfMatch, IfNoneMatch, answer
from app.api.described import ETAG, LOCATION, NOT_MODIFIED, PAGE, Responses, failing
from app.api.etag import tagged, wanted_version
from app.api.links import next_link
from app.api.once import OnceRoute
from app.api.paths import calendar_path
from app.api.problems import Kind, problem
from app.api.schemas.calendar import (
    EXAMPLE,
    ICALENDAR,
    CalendarIn,
    CalendarItem,
    CalendarOut,
    CalendarPage,
    CalendarPut,
)
from app.api.schemas.fields import NAME_PATTERN
from app.api.schemas.page import PageQuery
from app.domain.calendar import PersistedCalendar
from app.domain.errors import InvalidInput

router = APIRouter(prefix="/v1/calendars", tags=["Calendars"], route_class=OnceRoute)

_CALENDAR: Responses = {200: {"description": "The calendar.", "headers": ETAG}}
_MADE: Responses = {
    201: {"description": "The calendar was made.", "headers": LOCATION | ETAG, "model": CalendarOut},
}
_GONE: Responses = {204: {"description": "The calendar is gone."}}
_FILE = {
    "required": True,
    "content": {
        "text/calendar": {
            "schema": {"type": "string", "format": "cronledger-icalendar"},
            "examples": {"a holiday": {"value": ICALENDAR}},
        }
    },
}
_PUT_EXAMPLES: dict[str, Any] = {
    "a calendar": {"value": {name: value for name, value in EXAMPLE.items() if name != "name"}}
}

Name = Annotated[str, Path(pattern=NAME_PATTERN, description="The calendar's name.", examples=["holidays"])]


@router.post(
    "",
    operation_id="createCalendar",
    summary="Create a calendar",
    status_code=201,
    response_model=CalendarOut,
    responses=_MADE | failing(409),
)
async def create_calendar(
    request: Request,
    asked: Asked,
    calendar: Annotated[CalendarIn, Body(openapi_examples={"a calendar": {"value": EXAMPLE}})],
) -> Response:
    made = await asked.calendars.create(calendar.definition(calendar.name))
    return _answer(made, 201, location=calendar_path(request, made.name))


@router.get("", operation_id="listCalendars", summary="List calendars", response_model=CalendarPage, responses=PAGE)
async def list_calendars(request: Request, asked: Asked, query: Annotated[PageQuery, Query()]) -> Response:
    """By name, a page at a time, without their entries."""
    after = cursors.decode(asked.page_key, "calendars", query.cursor, cursors.name)
    found = await asked.calendars.page(after, query.limit + 1)
    items = [CalendarItem.of(each) for each in found[: query.limit]]
    cursor = cursors.encode(asked.page_key, "calendars", items[-1].name) if len(found) > query.limit else None
    return answer(CalendarPage(items=items, next_cursor=cursor), headers=next_link(request, cursor))


@router.get(
    "/{name:segment}",
    operation_id="getCalendar",
    summary="Read a calendar",
    response_model=CalendarOut,
    responses=_CALENDAR | NOT_MODIFIED | failing(404),
)
async def get_calendar(asked: Asked, name: Name, if_none_match: IfNoneMatch = None) -> Response:
    return _answer(await asked.calendars.get(name), if_none_match=if_none_match)


@router.put(
    "/{name:segment}",
    operation_id="putCalendar",
    summary="Create or replace a calendar",
    response_model=CalendarOut,
    responses=_CALENDAR | _MADE | failing(412),
)
async def put_calendar(
    request: Request,
    asked: Asked,
    name: Name,
    calendar: Annotated[CalendarPut, Body(openapi_examples=_PUT_EXAMPLES)],
    if_match: IfMatch = None,
) -> Response:
    """What is left out goes back to its default. What is due by now goes by the calendar as it was."""
    if calendar.name not in (None, name):
        raise InvalidInput(
            f"The body names the calendar {calendar.name}.",
            field="name",
            remedy="Use the name of the path, or leave it out.",
        )
    version = await wanted_version(asked.calendars, name, if_match)
    stored, is_new = await asked.calendars.replace(calendar.definition(name), if_version=version)
    return _answer(stored, 201, location=calendar_path(request, name)) if is_new else _answer(stored)


@router.post(
    "/{name:segment}/import",
    operation_id="importCalendar",
    summary="Fill a calendar from an iCalendar file",
    response_model=CalendarOut,
    responses=_CALENDAR | failing(404, 412),
    openapi_extra={"requestBody": _FILE},
)
async def import_calendar(request: Request, asked: Asked, name: Name, if_match: IfMatch = None) -> Response:
    """The events of the file take the place of the calendar's entries: whole days as days, times as intervals.

    What repeats, daily or less often, is unfolded from a year ago to ten years ahead. Times without a zone are read in
    the calendar's.
    """
    sent = request.headers.get("content-type", "no Content-Type")
    if sent.partition(";")[0].strip().lower() != "text/calendar":
        remedy = "Send iCalendar in UTF-8, with Content-Type: text/calendar."
        return problem(request, Kind.UNSUPPORTED_MEDIA_TYPE, f"The body is sent as {sent}.", remedy=remedy)
    version = await wanted_version(asked.calendars, name, if_match)
    return _answer(await asked.calendars.read(name, await request.body(), if_version=version))


@router.delete(
    "/{name:segment}",
    operation_id="deleteCalendar",
    summary="Delete a calendar",
    status_code=204,
    responses=_GONE | failing(404, 409, 412),
)
async def delete_calendar(asked: Asked, name: Name, if_match: IfMatch = None) -> Response:
    """Not while jobs name it."""
    await asked.calendars.delete(name, if_version=await wanted_version(asked.calendars, name, if_match))
    return Response(status_code=204)


def _answer(
    calendar: PersistedCalendar, status: int = 200, *, location: str | None = None, if_none_match: str | None = None
) -> Response:
    return tagged(CalendarOut.of(calendar), calendar.version, status, location=location, if_none_match=if_none_match)
