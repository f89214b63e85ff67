"""Middleware: a body that is too large is refused, as soon as it says so or as soon as it is; one too slow as well."""

from __future__ import annotations

import asyncio

from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.problems import Kind, problem

MAX_BODY = 256 * 1024
SECONDS = 30.0
"""For so long a body may take to come."""
_MOST_DIGITS = 20


class BodyLimit:
    """FastAPI has such a limit, and answers plain text where the length is announced."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        if _announces_too_much(request.headers.get("content-length", "")):
            answer = problem(request, Kind.BODY_TOO_LARGE, Kind.BODY_TOO_LARGE.example)
            await answer(scope, receive, send)
            return
        read, whole, until = 0, False, asyncio.get_running_loop().time() + SECONDS

        async def counted() -> Message:
            nonlocal read, whole
            try:
                async with asyncio.timeout_at(None if whole else until):
                    message = await receive()
            except TimeoutError:
                raise HTTPException(408, headers={"Connection": "close"}) from None
            read += len(message.get("body", b""))
            if read > MAX_BODY:
                raise HTTPException(413)
            whole = not message.get("more_body", False)
            return message

        await self._app(scope, counted, send)


def _announces_too_much(length: str) -> bool:
    return length.isdecimal() and (len(length) > _MOST_DIGITS or int(length) > MAX_BODY)
