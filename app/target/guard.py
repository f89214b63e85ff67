"""Stands before each connection: the host is judged before it is looked up, its address when it is dialled."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import lru_cache

from aiohttp import AddrInfoType, ClientConnectorError
from yarl import URL

from app.target.failure import RefusedAddressError
from app.target.reach import Reach


@dataclass(slots=True)
class _Dialling:
    """What became of the addresses to which a host has led."""

    host: str
    refused: list[str] = field(default_factory=list)
    tried: int = 0


_DIALLING: ContextVar[_Dialling] = ContextVar("dialling")


class Guard:
    """One for the process. Where calls are proxied, sockets lead to the operator's proxy alone."""

    def __init__(self, reach: Reach) -> None:
        self._reach = reach
        self._refuses = lru_cache(maxsize=8192)(reach.refuses)  # the same hosts again and again, by the same rules

    @contextmanager
    def admitting(self, url: URL) -> Iterator[None]:
        """Let this task dial what the URL's host leads to, within. Raises RefusedAddressError.

        Of several addresses those that are refused are passed over; where none is left, the first says why.
        """
        dialling = _Dialling(url.raw_host or "")
        if reason := self._refuses(dialling.host, url.port or 0):
            raise RefusedAddressError(reason)
        _DIALLING.set(dialling)
        try:
            yield
        except ClientConnectorError:
            if dialling.refused and not dialling.tried:
                raise RefusedAddressError(dialling.refused[0]) from None
            raise

    def socket(self, info: AddrInfoType) -> socket.socket:
        """Make the socket by which an address is dialled. Raises RefusedAddressError."""
        family, kind, protocol, _, address = info
        if not self._reach.proxied:
            self._judge(str(address[0]), int(address[1]), _DIALLING.get())
        return socket.socket(family, kind, protocol)

    def _judge(self, ip: str, port: int, dialling: _Dialling) -> None:
        if reason := self._reach.refuses_address(ip, dialling.host, port):
            dialling.refused.append(reason)
            raise RefusedAddressError(reason)
        dialling.tried += 1
