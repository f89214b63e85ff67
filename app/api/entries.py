"""What this replica remembers of the jobs."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from app.api import cursors
from app.api.dependencies import Asked, answer
from app.api.described import PAGE
from app.api.guarded import Guarded
from app.api.links import next_link
from app.api.schemas.entry import EntryOut, EntryPage
from app.api.schemas.page import PageQuery
from app.domain.acting import current_namespace
from app.domain.entries import EntryID

router = APIRouter(prefix="/v1/entries", tags=["Scheduler"], route_class=Guarded)


@router.get(
    "", operation_id="listEntries", summary="List the entries of this replica", response_model=EntryPage, responses=PAGE
)
async def list_entries(request: Request, asked: Asked, query: Annotated[PageQuery, Query()]) -> Response:
    """The map from which this replica wakes; the database decides what runs."""
    after = EntryID(cursors.decode(asked.page_key, "entries", query.cursor, cursors.number) or 0)
    found = asked.scheduler.entries.after(after, query.limit + 1, current_namespace())
    page = found[: query.limit]
    cursor = cursors.encode(asked.page_key, "entries", page[-1].entry_id) if len(found) > query.limit else None
    items = [EntryOut.of(entry) for entry in page]
    return answer(
        EntryPage(replica=asked.scheduler.replica, items=items, next_cursor=cursor), headers=next_link(request, cursor)
    )
