"""Events: a stream that goes on, on whichever replica, where it was cut off."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.responses import StreamingResponse
from fastapi.sse import format_sse_event

from app.api.dependencies import Asked
from app.api.guarded import Guarded, is_still_admitted
from app.api.schemas.event import EventId, EventOut, EventQuery, ResetOut
from app.domain.acting import current_namespace
from app.domain.event import Event
from app.service.events import Batch

router = APIRouter(prefix="/v1/events", tags=["Events"], route_class=Guarded)

MEDIA_TYPE = "text/event-stream"
_OPERATION = "streamEvents"
RETRY_MILLISECONDS = 1000
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
_STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Events without end: `event` is `run` or `job`, with an EventOut as `data`, or `reset`, with a "
        "ResetOut.",
        "content": {MEDIA_TYPE: {"schema": {"type": "string"}}},
    }
}
LastEventId = Annotated[
    EventId | None, Header(alias="Last-Event-ID", description="Of the last event that was read, on whichever replica.")
]


async def _opened(
    asked: Asked, query: Annotated[EventQuery, Query()], last_event_id: LastEventId = None
) -> AsyncIterator[AsyncIterator[Batch]]:
    """The header counts where there are both: who connects again sends it, with the URL of the first time."""
    after = query.after if last_event_id is None else last_event_id
    filters = replace(query.filters(), namespace=current_namespace())
    async with asked.events.open(after, filters) as batches:
        yield batches


@router.get(
    "",
    operation_id=_OPERATION,
    summary="What happens to runs and jobs, as it happens",
    response_class=StreamingResponse,
    responses=_STREAM,
)
async def stream_events(request: Request, batches: Annotated[AsyncIterator[Batch], Depends(_opened)]) -> Response:
    """Server-sent events from every replica, in the order of their ids, without end.

    Events are kept for 24 h. With an id that is older, an event `reset` comes first, and then the oldest that are kept.
    It ends once its key is revoked.
    """
    return StreamingResponse(_frames(_allowed(request, batches)), media_type=MEDIA_TYPE, headers=_HEADERS)


async def _allowed(request: Request, batches: AsyncIterator[Batch]) -> AsyncIterator[Batch]:
    """Those before the key is revoked, or expires."""
    async for batch in batches:
        if not await is_still_admitted(request, _OPERATION):
            return
        yield batch


async def _frames(batches: AsyncIterator[Batch]) -> AsyncIterator[bytes]:
    """An id without data is no event to a client, and yet where it goes on after a stretch without any."""
    yield format_sse_event(retry=RETRY_MILLISECONDS)
    async for batch in batches:
        if batch.reset is not None and batch.position is not None:
            reset = ResetOut(reason=batch.reset, oldest=batch.position + 1)
            yield format_sse_event(event="reset", data_str=reset.model_dump_json(), id=str(batch.position))
        elif batch.events:
            yield b"".join(_frame(event) for event in batch.events)
        else:
            yield format_sse_event(comment="", id=None if batch.position is None else str(batch.position))


def _frame(event: Event) -> bytes:
    """`event` is what stands before the dot of the kind."""
    data = EventOut.of(event).model_dump_json()
    return format_sse_event(event=event.kind.partition(".")[0], data_str=data, id=str(event.id))
