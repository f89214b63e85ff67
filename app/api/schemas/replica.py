"""Replicas: the processes of the service."""

from __future__ import annotations

from datetime import datetime
from typing import Self
from uuid import UUID

from pydantic import BaseModel, Field

from app.api.schemas.fields import QueryFlag
from app.api.schemas.page import Page, PageQuery
from app.domain.replica import Replica, Role


class ReplicaQuery(PageQuery):
    """Which replicas."""

    dead: QueryFlag | None = Field(None, description="Only those that are dead, or only those that are not.")


class ReplicaOut(BaseModel):
    """One process, as it said of itself with its last heartbeat."""

    id: UUID = Field(description="Drawn anew at each start, and after a lease that ended.")
    hostname: str = Field(description="Two replicas may have the same.")
    version: str = Field(description="Of the service; empty for one that doesn't say it.")
    role: Role
    started_at: datetime
    heartbeat_at: datetime
    dead: bool = Field(description="Whether its lease has ended, or it has left.")
    entries_preferred: int = Field(description="Jobs that it is to try first.")
    runs_in_flight: int = Field(description="Calls that it was making.")
    claims: int = Field(description="Due instants that it has claimed since it started.")
    clock_skew_ms: float = Field(description="By how much the database's clock was ahead of its own.")

    @classmethod
    def of(cls, replica: Replica) -> Self:
        return cls(
            id=replica.id,
            hostname=replica.hostname,
            version=replica.version,
            role=replica.role,
            started_at=replica.started_at,
            heartbeat_at=replica.heartbeat,
            dead=replica.dead,
            entries_preferred=replica.vitals.preferred,
            runs_in_flight=replica.vitals.in_flight,
            claims=replica.vitals.claims,
            clock_skew_ms=round(replica.vitals.skew * 1000, 3),
        )


class ReplicaPage(Page[ReplicaOut]):
    """Newest first."""
