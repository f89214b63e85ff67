"""Client certificates, and targets that need not prove who they are."""

from __future__ import annotations

import ssl
from pathlib import Path
from tempfile import gettempdir

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from app.domain.errors import UnsendableSecret
from app.domain.revealed import Revealed
from app.domain.run import Call
from app.domain.tls import Tls
from app.target.caller import HttpTarget, Reveal
from app.target.tls import TlsContexts, check_certificate
from tests.unit.target.servers import TLS, Names, authority, server_tls
from tests.unit.target.types import MakeCall, OpenTarget, Serve

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CERTIFICATE = (TLS / "valid.pem").read_text() + (TLS / "key.pem").read_text()


def showing(certificate: str) -> Reveal:
    async def reveal(call: Call) -> Revealed:
        return Revealed(call=call, headers={}, body=None, certificate=certificate)

    return reveal


def asking() -> ssl.SSLContext:
    """A server that lets in who shows the certificate."""
    context = server_tls("valid")
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(TLS / "valid.pem")
    return context


def names() -> Names:
    return Names(localhost=["127.0.0.1"])


async def call(target: HttpTarget, make_call: MakeCall, at: str, *, verify: bool = True, **more: int) -> str | None:
    port = at.rpartition(":")[2]
    made = make_call(f"https://localhost:{port}/", tls=Tls(verify=verify), **more)
    return (await target.call(made)).error


async def test_a_certificate_is_shown_to_who_asks_for_it(
    open_target: OpenTarget, serve: Serve, make_call: MakeCall
) -> None:
    _, at = await serve(OK, tls=asking())
    plain = await open_target(resolver=names(), ca_bundle=authority("valid"))
    assert await call(plain, make_call, at) is not None
    target = await open_target(resolver=names(), ca_bundle=authority("valid"), reveal=showing(CERTIFICATE))
    assert await call(target, make_call, at) is None


async def test_verification_may_be_off(open_target: OpenTarget, serve: Serve, make_call: MakeCall) -> None:
    _, at = await serve(OK, tls=server_tls("expired"))
    target = await open_target(resolver=names())
    assert str(await call(target, make_call, at)).startswith("tls: ")
    assert await call(target, make_call, at, verify=False) is None
    assert str(await call(target, make_call, at)).startswith("tls: "), "one job's choice is another's"


async def test_another_host_has_to_prove_who_it_is(open_target: OpenTarget, serve: Serve, make_call: MakeCall) -> None:
    there, second = await serve(OK, tls=server_tls("expired"))
    moved = f"HTTP/1.1 307 Moved\r\nLocation: https://localhost:{second.rpartition(':')[2]}/\r\n\r\n"
    _, at = await serve(moved.encode(), tls=server_tls("expired"))
    target = await open_target(resolver=names())
    assert str(await call(target, make_call, at, verify=False, max_redirects=1)).startswith("tls: ")
    assert there.requests == []


@pytest.mark.parametrize("certificate", ["", "no certificate", (TLS / "valid.pem").read_text(), "-----BEGIN"])
async def test_what_is_no_certificate_fails_the_call(
    open_target: OpenTarget, serve: Serve, make_call: MakeCall, certificate: str
) -> None:
    server, at = await serve(OK, tls=asking())
    target = await open_target(resolver=names(), reveal=showing(certificate))
    assert str(await call(target, make_call, at)).startswith("secret: it is no certificate followed by its key")
    assert server.connections == 0


def test_a_certificate_is_read_once_and_leaves_no_file() -> None:
    before = set(Path(gettempdir()).glob("*.pem"))
    contexts = TlsContexts()
    first = contexts.context(CERTIFICATE, verify=True)
    assert contexts.context(CERTIFICATE, verify=True) is first
    assert contexts.context(CERTIFICATE, verify=False) is not first
    assert contexts.context(None, verify=True) is None
    assert set(Path(gettempdir()).glob("*.pem")) <= before


def test_a_key_with_a_password_is_refused_and_nobody_is_asked() -> None:
    key = load_pem_private_key((TLS / "key.pem").read_bytes(), None)
    sealed = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"password")).decode()
    with pytest.raises(UnsendableSecret, match="without a password"):
        check_certificate((TLS / "valid.pem").read_text() + sealed)
