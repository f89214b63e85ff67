"""Whose word is taken for a target's certificate, and which one is shown to it."""

from __future__ import annotations

import os
import ssl
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from tempfile import NamedTemporaryFile

from app.domain.errors import UnsendableSecret


def trusting(bundle: str) -> ssl.SSLContext:
    """Trust these certificate authorities, a PEM file, and not the system's. Raises ValueError."""
    try:
        context = ssl.create_default_context(cafile=bundle)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise ValueError(f"{bundle!r} can't be read as certificates in PEM: {error}") from None
    context.set_alpn_protocols(["http/1.1"])
    return context


class TlsContexts:
    """What jobs ask for beyond what holds for all, made once for each certificate."""

    def __init__(self, bundle: str | None = None) -> None:
        """`bundle` is the file of authorities that takes the place of the system's."""
        self._bundle = bundle
        self._made = lru_cache(maxsize=256)(self._make)

    def context(self, certificate: str | None, *, verify: bool) -> ssl.SSLContext | None:
        """None where the job asks for nothing. Raises UnsendableSecret for what is no certificate with its key."""
        return None if certificate is None and verify else self._made(certificate, verify)

    def _make(self, certificate: str | None, verify: bool) -> ssl.SSLContext:  # noqa: FBT001  # a key of the cache
        context = trusting(self._bundle) if self._bundle else ssl.create_default_context()
        context.set_alpn_protocols(["http/1.1"])
        if not verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if certificate is not None:
            show(context, certificate)
        return context


def show(context: ssl.SSLContext, certificate: str) -> None:
    """Raises UnsendableSecret. OpenSSL reads from files alone."""
    try:
        with _file(certificate) as path:
            context.load_cert_chain(path, password=_none)
    except (OSError, ValueError):
        raise UnsendableSecret("it is no certificate followed by its key, in PEM and without a password") from None


@contextmanager
def _file(text: str) -> Iterator[str]:
    """In memory where the system can; else one for this user to read, and gone at once."""
    if sys.platform == "linux":
        with os.fdopen(os.memfd_create("certificate"), "w") as memory:
            memory.write(text)
            memory.flush()
            yield f"/proc/self/fd/{memory.fileno()}"
    else:
        with NamedTemporaryFile("w", suffix=".pem") as file:
            file.write(text)
            file.flush()
            yield file.name


def check_certificate(certificate: str) -> None:
    """Raises UnsendableSecret."""
    show(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), certificate)


def _none() -> bytes:
    """Or it would be asked for on the terminal."""
    raise ValueError
