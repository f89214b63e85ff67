"""Stands before each connection: the host is judged before it is looked up, its address when it is dialled."""

from __future__ import annotations

import socket
from contextvars import ContextVar

from aiohttp import AddrInfoType
from yarl import URL

from app.target.failure import RefusedAddressError
from app.target.reach import Reach

_HOST: ContextVar[str] = ContextVar("host")


class Guard:
    """One for the process. `proxied`: sockets lead to the operator's proxy alone, and names are looked up there."""

    def __init__(self, reach: Reach, *, proxied: bool = False) -> None:
        self._reach = reach
        self._proxied = proxied

    def admit(self, url: URL) -> None:
        """Let this task dial what the URL's host leads to. Raises RefusedAddressError."""
        host = url.raw_host or ""
        if reason := self._reach.refuses(host, url.port or 0):
            raise RefusedAddressError(reason)
        _HOST.set(host)

    def socket(self, info: AddrInfoType) -> socket.socket:
        """Make the socket by which an address is dialled. Raises RefusedAddressError."""
        family, kind, protocol, _, address = info
        if not self._proxied and (reason := self._reach.refuses_address(str(address[0]), _HOST.get(), int(address[1]))):
            raise RefusedAddressError(reason)
        return socket.socket(family, kind, protocol)
