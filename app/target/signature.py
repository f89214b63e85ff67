"""Signatures by which a target knows that a call is ours: Standard Webhooks, version 1 (HMAC-SHA256)."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterable
from datetime import datetime
from secrets import token_bytes

from standardwebhooks import Webhook

from app.domain.errors import UnsendableSecret

PREFIX = "whsec_"
_LEAST, _MOST = 24, 64
"""Bytes of a key, by the specification."""


def new_signing_key() -> str:
    return PREFIX + b64encode(token_bytes(32)).decode()


def check_signing_key(key: str) -> None:
    """Raises UnsendableSecret, which does not tell the key."""
    try:
        length = len(b64decode(key.removeprefix(PREFIX), validate=True)) if key.startswith(PREFIX) else 0
    except ValueError:  # binascii.Error is one
        length = 0
    if not _LEAST <= length <= _MOST:
        raise UnsendableSecret(
            f"a signing key is {PREFIX} and {_LEAST} to {_MOST} bytes in base64, as `cronledger secrets "
            "new-signing-key` prints it"
        )


def read_signing_keys(text: str) -> tuple[str, ...]:
    """One, or two while one takes the other's place. Raises ValueError."""
    keys = tuple(text.replace(",", " ").split())
    for key in keys:
        try:
            check_signing_key(key)
        except UnsendableSecret as error:
            raise ValueError(error.message) from None
    if len(keys) > 2:  # noqa: PLR2004  # the old one and the new
        raise ValueError("at most two signing keys are in use at once")
    return keys


def signature(keys: Iterable[str], message_id: str, at: datetime, body: bytes) -> str:
    """The header `webhook-signature`: one of each key, separated by a blank. The body is UTF-8."""
    return " ".join(Webhook(key).sign(message_id, at, body.decode()) for key in keys)
