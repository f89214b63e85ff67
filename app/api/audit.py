"""The audit log: who changed what."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from app.api import cursors
from app.api.dependencies import Asked, answer
from app.api.described import PAGE
from app.api.guarded import Guarded
from app.api.links import next_link
from app.api.schemas.audit import AuditOut, AuditPage, AuditQuery

router = APIRouter(prefix="/v1/audit", tags=["Keys"], route_class=Guarded)


@router.get("", operation_id="listAudit", summary="Who changed what", response_model=AuditPage, responses=PAGE)
async def list_audit(request: Request, asked: Asked, query: Annotated[AuditQuery, Query()]) -> Response:
    """Newest first: each change was written with its line, in one transaction, and nothing changes a line."""
    before = cursors.decode(asked.page_key, "audit", query.cursor, cursors.number)
    found = await asked.audit.page(query.filters(), before, query.limit + 1)
    items = [AuditOut.of(each) for each in found[: query.limit]]
    cursor = cursors.encode(asked.page_key, "audit", items[-1].id) if len(found) > query.limit else None
    return answer(AuditPage(items=items, next_cursor=cursor), headers=next_link(request, cursor))
