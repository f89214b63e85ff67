"""Values that may be credentials, told without them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from app.domain.secret import HeaderValue, secret_name

MASK = "***"
_CREDENTIAL = re.compile(
    r"auth|cookie|credential|passw|pwd|secret|signature|token|passphrase|bearer|jwt"
    r"|^sig$|(^|[-_])key$|(api|access|private|signing)key",
    re.IGNORECASE,
)


def is_credential(name: str) -> bool:
    """Whether a header, a field or a parameter of this name may hold one: rather once too often."""
    return name != "concurrency_key" and _CREDENTIAL.search(name) is not None


def masked(value: Any) -> Any:  # noqa: ANN401  # whatever JSON holds
    """A copy of JSON in which the values of such names are masked, in objects and in the queries of URLs."""
    if isinstance(value, Mapping):
        return {name: MASK if each and is_credential(str(name)) else masked(each) for name, each in value.items()}
    if isinstance(value, list):
        return [masked(each) for each in value]
    return (
        _masked_url(value)
        if isinstance(value, str) and value[:8].lower().startswith(("http://", "https://"))
        else value
    )


def masked_headers(headers: Mapping[str, HeaderValue]) -> dict[str, HeaderValue]:
    """What may be told: secrets by their names, credentials not at all."""
    return {name: MASK if _is_hidden(name, value) else value for name, value in headers.items()}


def _is_hidden(name: str, value: HeaderValue) -> bool:
    if isinstance(value, str):
        return bool(value) and is_credential(name)
    return secret_name(value) is None


def _masked_url(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    query = parse_qsl(parts.query, keep_blank_values=True)
    if not any(is_credential(name) for name, _ in query):
        return url
    told = [(name, MASK if is_credential(name) else value) for name, value in query]
    return parts._replace(query=urlencode(told, safe="*")).geturl()
