from __future__ import annotations

from typing import Any

import pytest

from app.domain.masking import MASK, is_credential, masked

HIDDEN = """
Authorization Proxy-Authorization Cookie X-Api-Key apikey api_key access-key PASSWORD db_passwd client_secret
X-Hub-Signature-256 accessToken key sig credentials Ocp-Apim-Subscription-Key x-functions-key passphrase id_jwt
"""


@pytest.mark.parametrize("name", HIDDEN.split())
def test_what_may_be_a_credential(name: str) -> None:
    assert is_credential(name)


@pytest.mark.parametrize("name", ["Content-Type", "Accept", "concurrency_key", "monkey", "name", "design", "X-Team"])
def test_what_is_none(name: str) -> None:
    assert not is_credential(name)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ({"headers": {"Authorization": "x", "Accept": "y"}}, {"headers": {"Authorization": MASK, "Accept": "y"}}),
        ({"body": {"list": [{"password": "x"}, 7]}}, {"body": {"list": [{"password": MASK}, 7]}}),
        ({"token": {"deep": "x"}}, {"token": MASK}),
        ({"token": None, "secret": ""}, {"token": None, "secret": ""}),
        ("http://a.example/h?x=1&token=abc&y=", f"http://a.example/h?x=1&token={MASK}&y="),
        ("http://a.example/h?x=%20", "http://a.example/h?x=%20"),
        ("http://[a/?token=1", "http://[a/?token=1"),
        ("HTTPS://a.example/h?token=abc", f"https://a.example/h?token={MASK}"),
        ("token=abc", "token=abc"),
        (7, 7),
    ],
)
def test_credentials_are_masked_wherever_they_are(value: Any, told: Any) -> None:
    assert masked(value) == told
