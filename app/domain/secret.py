"""Secrets: values that are told once, kept encrypted, and named where a call is to carry them.

In JSON a named secret is `{"secret": "<name>"}`, a value that was encrypted where it stands `{"sealed": "<token>"}`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

HeaderValue = str | Mapping[str, str]
"""Plain, named, or sealed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """A row of `secrets`, but for its value."""

    name: str
    created_at: datetime
    updated_at: datetime


def named(name: str) -> dict[str, str]:
    return {"secret": name}


def sealed(token: str) -> dict[str, str]:
    return {"sealed": token}


def secret_name(value: object) -> str | None:
    """The name that a JSON value stands for, if it is one."""
    match value:
        case {"secret": str(name), **rest} if not rest:
            return name
    return None


def sealed_token(value: object) -> str | None:
    match value:
        case {"sealed": str(token), **rest} if not rest:
            return token
    return None


def names_in(body: object) -> Iterator[str]:
    """The secrets that a body names, wherever in it."""
    waiting = [body]
    while waiting:
        value = waiting.pop()
        if (name := secret_name(value)) is not None:
            yield name
        elif isinstance(value, Mapping):
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value


def filled(body: Any, values: Mapping[str, str]) -> Any:  # noqa: ANN401  # whatever JSON holds
    """The body with the secrets that it names, as far as they are among the values; it is at most 64 levels deep."""
    if (name := secret_name(body)) is not None:
        return values.get(name, body)
    if isinstance(body, Mapping):
        return {key: filled(value, values) for key, value in body.items()}
    return [filled(value, values) for value in body] if isinstance(body, list) else body


def resealed(headers: Mapping[str, HeaderValue], renew: Callable[[str], str]) -> dict[str, HeaderValue]:
    """With each sealed value under another key."""
    return {
        name: value if (token := sealed_token(value)) is None else sealed(renew(token))
        for name, value in headers.items()
    }
