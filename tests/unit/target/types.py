"""What the fixtures hand out."""

from __future__ import annotations

from ssl import SSLContext
from typing import Any, Protocol

from app.domain.run import Call
from app.target.address import Targets
from app.target.caller import HttpTarget
from app.target.reach import Reach
from tests.unit.target.servers import Handler, Server


class Serve(Protocol):
    """Start a server that answers each connection's first request with these bytes, or does what a handler says."""

    async def __call__(self, handler: Handler | bytes, *, tls: SSLContext | None = None) -> tuple[Server, str]: ...


class OpenTarget(Protocol):
    async def __call__(self, reach: Reach | Targets = ..., **arguments: Any) -> HttpTarget: ...


class MakeCall(Protocol):
    def __call__(self, endpoint: str = ..., **changes: Any) -> Call: ...
