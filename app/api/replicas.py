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
from app.domain.replica import Replica

router = APIRouter(prefix="/v1/replicas", tags=["Scheduler"], route_class=Guarded)


@router.get("", operation_id="listReplicas", summary="List replicas", response_model=ReplicaPage, responses=PAGE)
async def list_replicas(request: Request, asked: Asked, query: Annotated[ReplicaQuery, Query()]) -> Response:
    """Newest first, the dead too: they are remembered for as long as runs are."""
    before = cursors.decode(asked.page_key, "replicas", query.cursor, cursors.started)
    found = await asked.replicas.page(ReplicaFilter(dead=query.dead), before, query.limit + 1)
    page = found[: query.limit]
    cursor = cursors.encode(asked.page_key, "replicas", _place(page[-1])) if len(found) > query.limit else None
    items = [ReplicaOut.of(each) for each in page]
    return answer(ReplicaPage(items=items, next_cursor=cursor), headers=next_link(request, cursor))


def _place(replica: Replica) -> str:
    return f"{cursors.microseconds(replica.started_at)} {replica.id}"
