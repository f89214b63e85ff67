"""Idempotency-Key on every POST (draft-ietf-httpapi-idempotency-key-header)."""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine
from hashlib import sha256
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from app.db.idempotency import Answer
from app.domain.errors import InvalidInput
from app.service.services import Services

HEADER = "Idempotency-Key"
PATTERN = "^[!-~]{1,255}$"
PARAMETER: dict[str, Any] = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "description": "Names the request for 24 h: sent again with the same body it is answered as before, and not carried"
    " out again.",
    "schema": {"type": "string", "pattern": PATTERN},
}

_KEPT = ("content-type", "etag", "location")

_Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class OnceRoute(APIRoute):
    """A route whose POST is carried out once for each key."""

    def get_route_handler(self) -> _Handler:
        handle = super().get_route_handler()

        async def handle_once(request: Request) -> Response:
            key = request.headers.get(HEADER)
            return await handle(request) if key is None else await _once(request, key, handle)

        return handle_once if self.methods == {"POST"} else handle


async def _once(request: Request, key: str, handle: _Handler) -> Response:
    if not re.fullmatch(PATTERN, key):
        raise InvalidInput(
            "The key is not 1 to 255 visible ASCII characters.", field=HEADER, remedy="Send a UUID, for instance."
        )
    services: Services = request.app.state.services

    async def carry_out() -> Answer:
        response = await handle(request)
        headers = {name: response.headers[name] for name in _KEPT if name in response.headers}
        return Answer(response.status_code, headers, bytes(response.body).decode())

    answer = await services.idempotency.once(key, await _fingerprint(request), carry_out)
    return Response(answer.body, status_code=answer.status, headers=answer.headers)


async def _fingerprint(request: Request) -> str:
    digest = sha256(f"{request.method} {request.scope['path']}?{request.url.query}\n".encode(errors="surrogatepass"))
    digest.update(await request.body())
    return digest.hexdigest()
