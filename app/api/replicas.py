"""The processes of the service, as the database knows them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from app.api import cursors
from app.api.dependencies import Asked, answer
from app.api.described import PAGE
from app.api.guarded import Guarded
from app.api.links import next_link
from app.api.schemas.replica import ReplicaOut, ReplicaPage, ReplicaQuery
from app.db.replica_rows import ReplicaFilter

router = APIRouter(prefix="/v1/replicas", tags=["Scheduler"], route_class=Guarded)


@router.get("", operation_id="listReplicas", summary="List replicas", response_model=ReplicaPage, responses=PAGE)
async def list_replicas(request: Request, asked: Asked, query: Annotated[ReplicaQuery, Query()]) -> Response:
    """Newest first, the dead too: they are remembered for as long as runs are."""
    before = cursors.decode("replicas", query.cursor, cursors.started)
    found = await asked.replicas.page(ReplicaFilter(dead=query.dead), before, query.limit + 1)
    page = found[: query.limit]
    last = page[-1] if len(found) > query.limit else None
    cursor = None if last is None else cursors.encode("replicas", f"{cursors.microseconds(last.started_at)} {last.id}")
    items = [ReplicaOut.of(each) for each in page]
    return answer(ReplicaPage(items=items, next_cursor=cursor), headers=next_link(request, cursor))
