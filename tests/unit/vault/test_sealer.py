"""Encryption at rest."""

from __future__ import annotations

import pytest

from app.domain.errors import InvalidInput, SecretUnreadable
from app.vault.sealer import WITHOUT_KEYS, Sealer, new_key, read_keys
from tests.sealing import KEY, SEALER


def test_what_is_sealed_is_opened_again_and_looks_like_nothing() -> None:
    token = SEALER.seal("pässword", field="value")
    assert SEALER.open(token) == "pässword"
    assert "ssword" not in token
    assert SEALER.seal("pässword", field="value") != token


def test_the_first_key_encrypts_and_all_decrypt() -> None:
    newer = new_key()
    token = SEALER.seal("value", field="value")
    both = Sealer([newer, KEY])
    assert both.open(token) == "value"
    rotated = both.rotate(token)
    assert Sealer([newer]).open(rotated) == "value"
    for work in (SEALER.open, SEALER.rotate, WITHOUT_KEYS.open, WITHOUT_KEYS.rotate):
        with pytest.raises(SecretUnreadable):
            work(rotated)


def test_a_token_that_was_changed_is_not_opened() -> None:
    token = SEALER.seal("value", field="value")
    for changed in ("", token[:-5], token[:20] + ("A" if token[20] != "A" else "B") + token[21:], "é"):
        with pytest.raises(SecretUnreadable):
            SEALER.open(changed)


def test_without_keys_nothing_is_sealed() -> None:
    with pytest.raises(InvalidInput) as refused:
        WITHOUT_KEYS.seal("value", field="headers.Authorization")
    assert refused.value.field == "headers.Authorization"
    assert "CRONLEDGER_SECRET_KEYS" in str(refused.value.remedy)


def test_keys_are_read_from_the_settings() -> None:
    other = new_key()
    assert read_keys("") == ()
    assert read_keys(f"{KEY},{other} ") == (KEY, other)
    with pytest.raises(ValueError, match="key 2 is no Fernet key") as refused:
        read_keys(f"{KEY} {other[:-5]}")
    assert other[:10] not in str(refused.value)
