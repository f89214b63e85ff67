"""Who calls the API, and what they may do."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from app.domain.namespace import DEFAULT


class Scope(StrEnum):
    """What a caller may do; `admin` includes the others, and none of the others includes another."""

    JOBS_READ = "jobs:read"
    JOBS_WRITE = "jobs:write"
    RUNS_READ = "runs:read"
    RUNS_TRIGGER = "runs:trigger"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Caller:
    """`id` is that of the API key; None is somebody who showed none, where none is needed."""

    id: str | None
    name: str
    scopes: frozenset[Scope]
    expires_at: datetime | None = None
    namespace: str = DEFAULT

    def may(self, scope: Scope) -> bool:
        return scope in self.scopes or Scope.ADMIN in self.scopes

    @property
    def is_operator(self) -> bool:
        """Whether the service is theirs: they make namespaces, and act in each."""
        return self.namespace == DEFAULT and Scope.ADMIN in self.scopes


FIRST_KEY = "Make a key with `cronledger keys create`, or set CRONLEDGER_BOOTSTRAP_KEY"
"""How there comes to be a first key."""

ANYBODY = Caller(None, "anybody", frozenset({Scope.ADMIN}))
"""Where no key is needed."""


def is_local(host: str) -> bool:
    """A name of this machine, or one of its loopback addresses."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback
