"""Idempotency-Key on every POST (draft-ietf-httpapi-idempotency-key-header)."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Any

from fastapi import Request, Response

from app.api.guarded import Guarded, Handler, caller_of
from app.db.idempotency import Answer
from app.domain.acting import current_namespace
from app.domain.errors import InvalidInput
from app.domain.namespace import DEFAULT
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

NEVER_KEPT = frozenset({"createKey", "createSecret"})
"""Operations that tell a secret once: their answers are not for the database."""

_KEPT = ("content-type", "etag", "location")


class OnceRoute(Guarded):
    """A route whose POST is carried out once for each key."""

    def handler(self) -> Handler:
        handle = super().handler()

        async def handle_once(request: Request) -> Response:
            key = request.headers.get(HEADER)
            return await handle(request) if key is None else await _once(request, key, handle)

        return handle_once if self.methods == {"POST"} and self.operation_id not in NEVER_KEPT else handle


async def _once(request: Request, key: str, handle: Handler) -> Response:
    if not re.fullmatch(PATTERN, key):
        raise InvalidInput(
            "The key is not 1 to 255 visible ASCII characters.", field=HEADER, remedy="Send a UUID, for instance."
        )
    services: Services = request.app.state.services

    async def carry_out() -> Answer:
        response = await handle(request)
        headers = {name: response.headers[name] for name in _KEPT if name in response.headers}
        return Answer(response.status_code, headers, bytes(response.body).decode())

    answer = await services.idempotency.once(_of_the_caller(request, key), await _fingerprint(request), carry_out)
    return Response(answer.body, status_code=answer.status, headers=answer.headers)


def _of_the_caller(request: Request, key: str) -> str:
    """Callers share no keys, nor do namespaces: what one was answered is not another's to read."""
    caller, namespace = caller_of(request), current_namespace() or DEFAULT
    told = [namespace] if namespace != DEFAULT else []
    told += [caller.id] if caller is not None and caller.id is not None else []
    return sha256(" ".join([*told, key]).encode()).hexdigest() if told else key


async def _fingerprint(request: Request) -> str:
    digest = sha256(f"{request.method} {request.scope['path']}?{request.url.query}\n".encode(errors="surrogatepass"))
    digest.update(await request.body())
    return digest.hexdigest()
