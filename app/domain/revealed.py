"""A call with the secrets that it carries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from app.domain.run import Call


@dataclass(frozen=True, slots=True, kw_only=True)
class Revealed:
    """What is sent, in plain. `hidden` are the values that nobody is to be told; `in_body`: the body has some."""

    call: Call
    headers: Mapping[str, str] = field(repr=False)
    body: Any = field(repr=False)
    signing_keys: tuple[str, ...] = field(default=(), repr=False)
    certificate: str | None = field(default=None, repr=False)
    hidden: frozenset[str] = field(default=frozenset(), repr=False)
    in_body: bool = False


def plain(call: Call) -> Revealed:
    """Of a call that carries no secrets."""
    headers = {name: value for name, value in call.headers.items() if isinstance(value, str)}
    return Revealed(call=call, headers=headers, body=call.body)
