"""The one client session, with all that keeps a target from doing more than answering."""

from __future__ import annotations

from ssl import SSLContext

from aiohttp import (
    ClientConnectorError,
    ClientHandlerType,
    ClientOSError,
    ClientRequest,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    DummyCookieJar,
    ServerDisconnectedError,
)
from aiohttp.abc import AbstractResolver

from app.target.failure import ConnectionDroppedError
from app.target.guard import Guard
from app.target.messages import BoundedConnector
from app.target.times import tracing

# Shorter than servers keep an idle connection (gunicorn 2 s, Node and uvicorn 5 s). A job every 5 s would otherwise
# meet the server's close each time, and such a call may not be sent again.
_KEEP_ALIVE_SECONDS = 1.5
_BUFFER = 16 * 1024
_UNTIMED = ClientTimeout(total=None, sock_connect=None)  # the deadline of a call is its only limit
_LONGEST_HEADER = 8190
_MOST_HEADERS = 128


def open_session(user_agent: str, guard: Guard, resolver: AbstractResolver, tls: SSLContext | None) -> ClientSession:
    """On the loop that calls. Without `tls` the system's certificate authorities are trusted."""
    connector = BoundedConnector(
        limit=0,
        keepalive_timeout=_KEEP_ALIVE_SECONDS,
        resolver=resolver,
        socket_factory=guard.socket,
        ssl=tls or True,
    )
    return ClientSession(
        connector=connector,
        cookie_jar=DummyCookieJar(),
        headers={"User-Agent": user_agent, "Accept-Encoding": "identity"},
        middlewares=(_send_once,),
        trace_configs=[tracing()],
        timeout=_UNTIMED,
        trust_env=False,
        auto_decompress=False,
        read_bufsize=_BUFFER,
        max_line_size=_LONGEST_HEADER,
        max_field_size=_LONGEST_HEADER,
        max_headers=_MOST_HEADERS,
    )


async def _send_once(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
    """Turn what makes aiohttp send GET, PUT and their like a second time into an error that it lets through."""
    try:
        return await handler(request)
    except ClientConnectorError:
        raise
    except (ClientOSError, ServerDisconnectedError) as error:
        raise ConnectionDroppedError from error
