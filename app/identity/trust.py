"""Which tokens of which identity provider count, and for what."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from app.domain.access import Scope

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Those of public keys: what verifies a token can't make one."""

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """`scopes` names what each value of the claim allows; where it is empty, values are scopes themselves.

    `namespace_claim` says where its bearer acts; where it is empty, in `default`.
    """

    issuer: str
    audience: str
    algorithms: tuple[str, ...]
    claim: str
    scopes: Mapping[str, frozenset[Scope]]
    namespace_claim: str = ""


def check_place(text: str) -> None:
    """Where keys are. Raises ValueError, without the password that it may hold."""
    try:
        names_host = text.startswith(("https://", "http://")) and urlsplit(text).hostname
    except ValueError:
        names_host = None
    if not names_host and _SCHEME.match(text):
        raise ValueError("public keys are at https://..., at http://..., or in a file")


def read_scopes(text: str) -> dict[str, frozenset[Scope]]:
    """`platform-admins=admin developers=jobs:read,jobs:write`. Raises ValueError."""
    found: dict[str, frozenset[Scope]] = {}
    for each in text.split():
        value, equals, named = each.partition("=")
        if not equals or not value:
            raise ValueError(f"{each} is not value=scope,scope")
        found[value] = frozenset(Scope(scope) for scope in named.split(","))
    return found


def read_algorithms(text: str) -> tuple[str, ...]:
    """Raises ValueError."""
    chosen = tuple(text.replace(",", " ").split())
    if not chosen or not set(chosen) <= set(ALGORITHMS):
        raise ValueError(f"choose among {', '.join(ALGORITHMS)}")
    return chosen
