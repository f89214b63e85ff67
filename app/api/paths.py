"""Names in paths. A server decodes the path before it is routed, and a `%2F` within a name would become a separator.

So routing sees the path as it was sent, in one canonical encoding, and `{name:segment}` decodes what it matched.
"""

from __future__ import annotations

from urllib.parse import quote, unquote, unquote_to_bytes
from uuid import UUID

from fastapi import Request
from starlette.convertors import Convertor, register_url_convertor
from starlette.types import ASGIApp, Receive, Scope, Send


class SentPaths:
    """Middleware: puts the path back as it was sent."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope["path"] = _canonical(scope.get("raw_path") or quote(scope["path"]).encode())
        await self._app(scope, receive, send)


class Segment(Convertor[str]):
    """One segment of a path, decoded. Bytes that are no UTF-8 become lone surrogates, which no name may hold."""

    regex = "[^/]+"

    def convert(self, value: str) -> str:
        return unquote(value, errors="surrogateescape")

    def to_string(self, value: str) -> str:
        return quote(value, safe="")


register_url_convertor("segment", Segment())


def job_path(request: Request, name: str) -> str:
    return _path(request, "jobs", name)


def calendar_path(request: Request, name: str) -> str:
    return _path(request, "calendars", name)


def limit_path(request: Request, key: str) -> str:
    return _path(request, "limits", key)


def backfill_path(request: Request, backfill_id: UUID) -> str:
    return _path(request, "backfills", backfill_id)


def key_path(request: Request, key_id: UUID) -> str:
    return _path(request, "keys", key_id)


def secret_path(request: Request, name: str) -> str:
    return _path(request, "secrets", name)


def namespace_path(request: Request, name: str) -> str:
    return _path(request, "namespaces", name)


def run_path(request: Request, run_id: UUID) -> str:
    return _path(request, "runs", run_id)


def _path(request: Request, kind: str, name: str | UUID) -> str:
    """Below whatever a proxy has put before it."""
    return f"{request.scope.get('root_path', '')}/v1/{kind}/{quote(str(name), safe='')}"


def _canonical(raw: bytes) -> str:
    return "/".join(quote(unquote_to_bytes(segment), safe="~") for segment in raw.split(b"/"))
