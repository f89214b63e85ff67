"""A replica: one process of the service."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class Role(StrEnum):
    """What a replica does: serve the API, schedule and call, or both."""

    ALL = "all"
    API = "api"
    SCHEDULER = "scheduler"


@dataclass(frozen=True, slots=True, kw_only=True)
class Vitals:
    """What a replica says of itself with each heartbeat.

    `preferred` counts the entries that it is to try first, `in_flight` its calls, `claims` the occurrences that it has
    won since it started. `skew` is by how many seconds the database's clock is ahead of its own.
    """

    preferred: int = 0
    in_flight: int = 0
    claims: int = 0
    skew: float = 0.0


@dataclass(frozen=True, slots=True)
class Peer:
    """A replica that schedules, as the others need to know it; for `claims` see Vitals."""

    id: UUID
    claims: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Replica:
    """A row of `replicas`. Two may have one hostname. `dead`: its lease has ended, or it has left."""

    id: UUID
    hostname: str
    version: str
    role: Role
    started_at: datetime
    heartbeat: datetime
    dead: bool
    vitals: Vitals
