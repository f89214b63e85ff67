"""Entries: what this replica remembers of the jobs."""

from __future__ import annotations

from datetime import datetime
from typing import Self
from uuid import UUID

from pydantic import BaseModel, Field

from app.api.schemas.page import Page
from app.domain.entries import Entry


class EntryOut(BaseModel):
    """One job in the map."""

    entry_id: int = Field(description="Given anew to each version of a job, and never again.")
    name: str
    job_id: UUID
    version: int
    next: datetime | None = Field(description="Null while it is being claimed.")
    prev: datetime | None = Field(description="The last occurrence that this replica claimed.")

    @classmethod
    def of(cls, entry: Entry) -> Self:
        return cls(
            entry_id=entry.entry_id,
            name=entry.job.name,
            job_id=entry.job.uid,
            version=entry.job.version,
            next=entry.next,
            prev=entry.prev,
        )


class EntryPage(Page[EntryOut]):
    """By entry id; each replica answers for itself."""

    replica: UUID
