"""Signatures, as those who receive them check them: with the verifier of Standard Webhooks."""

from __future__ import annotations

from dataclasses import replace
from email.parser import BytesHeaderParser
from typing import Any

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from app.domain.clock import SystemClock
from app.domain.errors import UnsendableSecret
from app.domain.revealed import Revealed
from app.domain.run import Call
from app.target.address import Targets
from app.target.caller import HttpTarget
from app.target.reach import Reach
from app.target.signature import check_signing_key, new_signing_key, read_signing_keys
from tests.unit.target.types import MakeCall, Serve

OK = b"HTTP/1.1 204 No Content\r\n\r\n"
OLD, NEW, OTHER = (new_signing_key() for _ in range(3))


async def received(serve: Serve, call: Call, **arguments: Any) -> tuple[bytes, dict[str, str]]:
    """Body and headers of the call, which is made at the machine's time."""
    server, address = await serve(OK)
    target = HttpTarget(Reach(Targets.ANY), SystemClock(), "1.2.3", **arguments)
    await target.open()
    try:
        outcome = await target.call(replace(call, endpoint=f"http://{address}/"))
    finally:
        await target.close()
    assert outcome.succeeded, outcome
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    return body, dict(BytesHeaderParser().parsebytes(head.partition(b"\r\n")[2]))


@pytest.mark.parametrize("body", [None, {"kind": "täglich"}, "a text", "", []])
async def test_a_call_is_verified_with_either_key(serve: Serve, make_call: MakeCall, body: object) -> None:
    sent, headers = await received(serve, make_call(body=body), signing_keys=[NEW, OLD])
    for key in (NEW, OLD):
        Webhook(key).verify(sent, headers, json_parse=False)
    with pytest.raises(WebhookVerificationError):
        Webhook(OTHER).verify(sent, headers, json_parse=False)
    with pytest.raises(WebhookVerificationError):
        Webhook(NEW).verify(sent + b" ", headers, json_parse=False)


async def test_the_keys_of_a_job_sign_in_place_of_the_service_s(serve: Serve, make_call: MakeCall) -> None:
    async def reveal(call: Call) -> Revealed:
        return Revealed(call=call, headers={}, body=None, signing_keys=(OTHER,))

    sent, headers = await received(serve, make_call(), signing_keys=[NEW], reveal=reveal)
    Webhook(OTHER).verify(sent, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(NEW).verify(sent, headers)


async def test_without_keys_nothing_is_signed(serve: Serve, make_call: MakeCall) -> None:
    _, headers = await received(serve, make_call())
    assert "webhook-signature" not in {name.lower() for name in headers}


@pytest.mark.parametrize(
    "key", ["", "whsec_", "whsec_AAAA", f"whsec_{'A' * 31}", f"whsec_{'A' * 92}", "A" * 44, "whsec_é"]
)
def test_what_can_not_sign(key: str) -> None:
    with pytest.raises(UnsendableSecret, match="whsec_ and 24 to 64 bytes") as refused:
        check_signing_key(key)
    assert len(key) < 7 or key not in str(refused.value)


def test_keys_are_read_from_the_settings() -> None:
    assert read_signing_keys(f"{NEW}, {OLD}") == (NEW, OLD)
    assert read_signing_keys("") == ()
    with pytest.raises(ValueError, match="at most two"):
        read_signing_keys(f"{NEW} {OLD} {OTHER}")


def test_a_new_key_is_a_key() -> None:
    check_signing_key(new_signing_key())
