"""Why a call failed, in a few words that begin with their kind."""

from __future__ import annotations

import os
import re
import socket
import ssl
from enum import StrEnum

from aiohttp import (
    ClientConnectorCertificateError,
    ClientConnectorDNSError,
    ClientConnectorError,
    ClientConnectorSSLError,
    ClientError,
    ClientHttpProxyError,
    ClientPayloadError,
    ClientProxyConnectionError,
    ClientResponseError,
    ServerDisconnectedError,
)

from app.domain.errors import InvalidEndpoint, SecretNotFound, SecretUnreadable, UnsendableSecret

_LIMIT = 300
_QUOTED = re.compile(r"""\n|:(?! close`)|\sb?['"]""")
"""Where what a library says of an answer begins to repeat it; `Connection: close` is llhttp's own."""
_NAME_NOT_FOUND = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}


class Kind(StrEnum):
    """The first word of an Outcome's error.

    After connect, dns, tls, secret and refused no request has been seen, but for those that led there by redirects.
    """

    CONNECT = "connect"
    DNS = "dns"
    TLS = "tls"
    TIMEOUT = "timeout"
    REFUSED = "refused"
    STATUS = "status"
    BODY = "body"
    CALLBACK = "callback"
    PROTOCOL = "protocol"
    SECRET = "secret"  # noqa: S105  # nosec B105  # a kind
    INTERNAL = "internal"


class RefusedAddressError(OSError):
    """What the reach keeps from being dialled; an OSError, so that the next address of a name is tried."""


class ConnectionDroppedError(ClientError):
    """The connection ended after the request had left."""


def explain(failure: Exception) -> str:
    """Put whatever a call raised into one printable line of at most 300 characters."""
    return line(*_read(failure))


def line(kind: Kind, text: str) -> str:
    printable = "".join(letter if letter.isprintable() else " " for letter in text)
    return f"{kind}: {' '.join(printable.split())}"[:_LIMIT]


def _read(failure: Exception) -> tuple[Kind, str]:  # noqa: PLR0911 -- one line a kind
    match failure:
        case InvalidEndpoint() | RefusedAddressError():
            return Kind.REFUSED, str(failure)
        case SecretNotFound() | SecretUnreadable() | UnsendableSecret():
            return Kind.SECRET, failure.message
        case ClientHttpProxyError():
            return Kind.CONNECT, f"the proxy answered {failure.status}"
        case ClientProxyConnectionError():
            return Kind.CONNECT, f"to the proxy: {_errno(failure.os_error)}"
        case ClientConnectorDNSError():
            return Kind.DNS, _lookup(failure.os_error)
        case ClientConnectorCertificateError():
            return Kind.TLS, _certificate(failure.certificate_error)
        case ClientConnectorSSLError():
            return Kind.TLS, _handshake(failure.os_error)
        case ClientConnectorError():
            return Kind.CONNECT, _errno(failure.os_error)
        case ClientError():
            return Kind.PROTOCOL, _exchange(failure)
        case _:
            return Kind.INTERNAL, f"{type(failure).__name__}: {failure}"


def _lookup(error: OSError) -> str:
    return "name not found" if error.errno in _NAME_NOT_FOUND else (error.strerror or str(error)).lower()


def _certificate(error: Exception) -> str:
    return error.verify_message if isinstance(error, ssl.SSLCertVerificationError) else str(error)


def _handshake(error: OSError) -> str:
    reason = getattr(error, "reason", None) or str(error)
    return reason.replace("_", " ").lower()


def _errno(error: OSError) -> str:
    return os.strerror(error.errno).lower() if error.errno else error.strerror or str(error)


def _exchange(error: ClientError) -> str:
    match error:
        case ConnectionDroppedError(__cause__=ServerDisconnectedError()):
            return "the connection was closed before an answer came"
        case ConnectionDroppedError(__cause__=OSError() as cause):
            return os.strerror(cause.errno).lower() if cause.errno else "the connection broke off"
        case ClientPayloadError():
            return "the answer ended too early or can't be decoded"
        case ClientResponseError():
            return ": ".join(filter(None, ["the answer is not HTTP/1.1", _unquoted(error.message)]))
        case _:
            return str(error) or type(error).__name__


def _unquoted(message: str) -> str:
    """Without what was read, which may be a secret that was sent, cut off so that it is not recognised."""
    return _QUOTED.split(message)[0]
