"""Middleware: what nobody expected is answered with the headers of all else, and goes on to the log of the server."""

from __future__ import annotations

from fastapi import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.problems import Kind, problem


class Unexpected:
    """The framework answers outside of all middleware."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def said(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, said)
        except Exception:
            if scope["type"] == "http" and not begun:
                await problem(Request(scope), Kind.INTERNAL, Kind.INTERNAL.example)(scope, receive, send)
            raise
