"""What an operator may set of the scheduler."""

from __future__ import annotations

from dataclasses import dataclass

from app.domain.replica import Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Times are in seconds."""

    hostname: str = "localhost"
    concurrency: int = 200
    per_host_concurrency: int = 50
    lease_seconds: float = 30.0
    poll_seconds: float = 5.0
    compare_seconds: float = 30.0
    grace_seconds: float = 1.0
    version: str = ""
    role: Role = Role.ALL
